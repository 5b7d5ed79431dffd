//! Echoes through exactly this layer, for public conformance suites.
//!
//! A WebSocket gets every message back; a `POST` gets its body back; anything else gets a word. Never part of
//! a configured listener.

use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use hyper::header::CONTENT_TYPE;
use hyper::{Method, StatusCode};

use super::address::Peer;
use super::http::{Refusal, Request, Response, ResponseBody, Service};
use super::websocket::{Event, Message, Offer, Socket, SocketLimits, deflate, encode_binary, encode_text};

/// The echo service.
#[derive(Debug)]
pub struct Echo {
    limits: Rc<SocketLimits>,
    body: usize,
}

impl Echo {
    /// Echoes messages within `limits` and bodies of up to `body` bytes.
    pub fn new(limits: SocketLimits, body: usize) -> Self {
        Self {
            limits: Rc::new(limits),
            body,
        }
    }

    async fn answer(&self, request: Request) -> Response {
        match *request.method() {
            Method::GET | Method::HEAD if !request.headers().contains_key(hyper::header::UPGRADE) => {
                text(StatusCode::OK, "echo\n")
            }
            Method::GET => self.upgrade(&request),
            Method::POST => {
                let content_type = request.headers().get(CONTENT_TYPE).cloned();
                match request.into_body().collect(self.body).await {
                    Ok(body) => {
                        let mut response = Response::new(ResponseBody::full(body));
                        if let Some(content_type) = content_type {
                            response.headers_mut().insert(CONTENT_TYPE, content_type);
                        }
                        response
                    }
                    Err(error) => self.refuse(error.into(), None),
                }
            }
            _ => {
                let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
                let allow = hyper::header::HeaderValue::from_static("GET, HEAD, POST");
                response.headers_mut().insert(hyper::header::ALLOW, allow);
                response
            }
        }
    }

    fn upgrade(&self, request: &Request) -> Response {
        match Offer::of(request) {
            Ok(offer) => {
                let protocol = offer.protocols().next().map(str::to_owned);
                offer.accept(protocol.as_deref(), Rc::clone(&self.limits), echo)
            }
            Err(error) => {
                let mut response = text(error.status(), &format!("{error}\n"));
                error.headers(response.headers_mut());
                response
            }
        }
    }
}

impl Service for Echo {
    fn call<'a>(&'a self, request: Request, _peer: &'a Peer) -> LocalBoxFuture<'a, Response> {
        Box::pin(self.answer(request))
    }

    fn refuse(&self, refusal: Refusal, _target: Option<&str>) -> Response {
        text(refusal.status(), &format!("{refusal}\n"))
    }
}

async fn echo(mut socket: Socket) {
    loop {
        match socket.next().await {
            Event::Messages(messages) => {
                let compressed = socket.is_compressed();
                let frames: Vec<_> = messages
                    .iter()
                    .map(|message| match message {
                        Message::Text(text) => compressed
                            .then(|| deflate::encode_text(text.as_bytes()))
                            .flatten()
                            .unwrap_or_else(|| encode_text(text.as_bytes())),
                        Message::Binary(bytes) => encode_binary(bytes),
                    })
                    .collect();
                // Whatever came of it, the next event tells.
                let _ = socket.send(&frames).await;
            }
            Event::Pong => {}
            Event::Closed(closed) => {
                tracing::debug!(code = closed.code, reason = closed.reason, "echo closed");
                return;
            }
        }
    }
}

fn text(status: StatusCode, body: &str) -> Response {
    let mut response = Response::new(ResponseBody::full(body.to_owned()));
    *response.status_mut() = status;
    let content_type = hyper::header::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
