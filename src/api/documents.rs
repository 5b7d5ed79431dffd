//! The contracts of this service, served as they were compiled in.

use super::pages::Asset;

/// The documents.
pub const DOCUMENTS: &[Asset] = &[
    Asset {
        path: "/asyncapi.yaml",
        mime: "application/yaml",
        bytes: include_bytes!("../../docs/asyncapi.yaml"),
    },
    Asset {
        path: "/openapi.yaml",
        mime: "application/yaml",
        bytes: include_bytes!("../../docs/openapi.yaml"),
    },
];
