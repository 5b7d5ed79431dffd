//! Connections 4 and 5 in this process, over the chat API of [`super::chat`].

use hyper::header::HeaderMap;
use nexus::api::auth::authenticate;
use nexus::ingress::designer::Designer;
use nexus::ingress::tenant::{TenantOptions, TenantService};
use nexus::net::http::{Body, Request};
use nexus::protocol::envelope::Fault;
use nexus::provisioning::access::{Access, Principal};
use nexus::provisioning::objects::Kind;
use nexus::runtime::Drain;
use serde_json::{Value, json};

use super::chat::{Chat, Hold, START};
use crate::provisioning::{OTHER, act, draft};

/// The development tenant's key for services.
pub(crate) const KEY: &str = "00000000-0000-4000-8000-000000000001";
/// A key of another tenant that may do the same there.
pub(crate) const FOREIGN: &str = "bbbbbbbb-0000-4000-8000-000000000001";
/// A key of the development tenant that may only read.
pub(crate) const READER: &str = "bbbbbbbb-0000-4000-8000-000000000002";

/// A chat API and the services beside it.
pub(crate) struct Services {
    pub(crate) chat: Chat,
    designer: Designer,
    tenant: TenantService,
    drain: Drain,
}

impl Services {
    pub(crate) async fn start() -> Self {
        Self::over(Chat::start().await).await
    }

    /// By the clock of the machine.
    pub(crate) async fn start_live() -> Self {
        Self::over(Chat::start_live().await).await
    }

    async fn over(chat: Chat) -> Self {
        let directory = chat.provisioning.directory();
        let tenant = draft(Kind::Tenant, json!({"sid": "t2", "name": "t2"}));
        directory.create(&act(), OTHER, tenant, None).await.unwrap();
        let all = json!(["nexus:routing:*", "nexus:esp:*"]);
        let keys = [
            (OTHER, FOREIGN, all),
            (chat.development.tenant, READER, json!(["nexus:routing:read"])),
        ];
        for (tenant, key, permissions) in keys {
            let body = json!({"name": key, "type": "service", "key": key, "permissions": permissions});
            directory
                .create(&act(), tenant, draft(Kind::ApiKey, body), None)
                .await
                .unwrap();
        }
        let snapshots = chat.provisioning.snapshots().clone();
        let drain = Drain::new();
        let options = TenantOptions {
            body: 64 * 1024,
            url: Some("http://nexus.example.internal".to_owned()),
        };
        Self {
            designer: Designer::new(chat.shards.clone(), snapshots.clone(), 64 * 1024),
            tenant: TenantService::new(chat.shards.clone(), snapshots, options, drain.token()),
            chat,
            drain,
        }
    }

    /// One call; status and body.
    pub(crate) async fn ask(&self, method: &str, path: &str, key: &str, body: &Value) -> (u16, Value) {
        let bytes = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let mut request = Request::new(Body::whole(bytes));
        *request.method_mut() = method.parse().unwrap();
        *request.uri_mut() = path.parse().unwrap();
        let headers = request.headers_mut();
        headers.insert("content-type", "application/json".parse().unwrap());
        if !key.is_empty() {
            headers.insert("x-api-key", key.parse().unwrap());
        }
        let who = self.who(request.headers());
        let response = if path.starts_with("/nexus/v3/esp") {
            self.tenant.call(who, request).await
        } else {
            self.designer.call(who, request).await
        };
        let told = serde_json::from_slice(response.body().as_bytes().unwrap()).unwrap();
        (response.status().as_u16(), told)
    }

    fn who(&self, headers: &HeaderMap) -> Result<Principal, Fault> {
        let snapshot = self.chat.provisioning.snapshots().load();
        authenticate(&Access::default(), &snapshot, headers, START)
    }

    /// A GET that must succeed; its `data`.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let (status, told) = self.ask("GET", path, KEY, &Value::Null).await;
        assert_eq!((status, &told["status"]["code"]), (200, &json!(0)), "{told}");
        told["data"].clone()
    }

    /// A call of the chat service.
    pub(crate) async fn esp(&self, method: &str, hold: &Hold, parameters: Value) -> (u16, Value) {
        let body = json!({"Parameters": parameters, "UserData": {"InteractionId": "000A1aDEMO001",
            "ChatSessionId": hold.session.to_string(), "IsOnline": "1"}});
        self.ask("POST", &format!("/nexus/v3/esp/Chat/{method}"), KEY, &body)
            .await
    }

    /// One that must succeed.
    pub(crate) async fn done(&self, method: &str, hold: &Hold, parameters: Value) -> Value {
        let (status, told) = self.esp(method, hold, parameters).await;
        assert_eq!((status, &told["Result"]), (200, &json!("ok")), "{told}");
        told
    }

    /// The node begins to stop.
    pub(crate) async fn drain(&self) {
        let plan = nexus::runtime::DrainPlan {
            not_ready: std::time::Duration::ZERO,
            deadline: std::time::Duration::from_secs(1),
        };
        self.drain.run(plan).await;
    }
}
