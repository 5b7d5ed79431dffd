//! The customer's page in a real browser, against the real handlers over real sockets.

use std::rc::Rc;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use hyper::Method;
use nexus::api::pages;
use nexus::api::ux::widget::{ASSETS, settings};
use nexus::net::Peer;
use nexus::net::http::{Refusal, Request, Response, ResponseBody, Service};

use crate::net_server::Running;
use crate::support::chat::{Chat, on_a_core};
use crate::support::chromium;

/// The page and the chat API behind one address.
struct Site(Chat);

impl Service for Site {
    fn call<'a>(&'a self, request: Request, peer: &'a Peer) -> LocalBoxFuture<'a, Response> {
        async move {
            let path = request.uri().path();
            if path == "/ux/widget/config.json" {
                let settings = settings(&self.0.development.api_key, "web");
                let mut response = Response::new(ResponseBody::full(settings));
                response
                    .headers_mut()
                    .insert("content-type", "application/json".parse().unwrap());
                return response;
            }
            if path.starts_with("/ux/") {
                let page = pages::serve(ASSETS, &Method::GET, path, request.headers());
                return page.unwrap_or_else(|| Response::new(ResponseBody::empty()));
            }
            self.0.widgets.handle(request, peer).await
        }
        .boxed_local()
    }

    fn refuse(&self, _: Refusal, _: Option<&str>) -> Response {
        Response::new(ResponseBody::empty())
    }
}

#[test]
fn a_customer_chats_sends_a_picture_reloads_loses_the_line_and_leaves() {
    on_a_core(async {
        let site: Rc<dyn Service> = Rc::new(Site(Chat::start_live().await));
        let running = Running::with(site, false);
        let url = format!("http://{}/ux/widget/", running.addr);
        let journey = move || chromium::browse("widget.mjs", &[("URL", &url)]);
        let said = tokio::task::spawn_blocking(journey).await.unwrap();
        assert!(said.contains("journey complete"), "{said}");
    });
}
