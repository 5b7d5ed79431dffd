//! Every metric there is: its name, what it means, its labels.
//!
//! The first part are the names that dashboards and alerts written for the original service query. All label
//! values are from sets this code bounds: routes rather than paths, [`TenantLabels`](super::TenantLabels) rather
//! than tenants.

/// What kind of number a metric is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution over these upper bounds.
    Histogram(&'static [f64]),
}

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What kind of number.
    pub kind: Kind,
    /// What it counts.
    pub help: &'static str,
    /// Its labels; a metric without any is shown from the start.
    pub labels: &'static [&'static str],
}

const MILLISECONDS: &[f64] = &[1.0, 5.0, 10.0, 50.0, 100.0, 500.0, 1_000.0, 5_000.0, 10_000.0];
const SECONDS: &[f64] = &[
    0.000_1, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];
const COUNTS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

macro_rules! metrics {
    ($($constant:ident $name:literal $kind:expr, [$($label:literal),*], $help:literal;)+) => {
        $(#[doc = $help] pub const $constant: &str = $name;)+

        /// The list.
        pub const ALL: &[Metric] = &[$(
            Metric { name: $name, kind: $kind, help: $help, labels: &[$($label),*] },
        )+];
    };
}

metrics! {
    API_REQUESTS "nexus_api_request_total" Kind::Counter, ["code", "path", "method"],
        "API requests answered, by route.";
    API_DURATION "nexus_api_request_duration_milliseconds" Kind::Histogram(MILLISECONDS), ["code", "path", "method"],
        "Time from a request's head to its answer, in milliseconds, by route.";
    REQUESTS "nexus_request_total" Kind::Counter, [], "Requests answered on all listeners.";
    ERRORS "nexus_errors_total" Kind::Counter, ["serv_name"], "Answers that say the fault is ours, by the part at fault.";
    CHAT_ACTIVE "nexus_chat_active_sessions_total" Kind::Gauge, [], "Chat sessions open on this node's replicas.";
    CHAT_NEW "nexus_chat_new_sessions_total" Kind::Counter, [], "Chat sessions asked for.";
    CHAT_NEW_OK "nexus_chat_new_sessions_ok" Kind::Counter, ["ccid"], "Chat sessions opened.";
    CHAT_NEW_FAIL "nexus_chat_new_sessions_fail" Kind::Counter, ["ccid"], "Chat sessions refused.";
    CHAT_CREATE "nexus_chat_duration_create_session_request" Kind::Histogram(MILLISECONDS), [],
        "Time to open a chat session, in milliseconds.";
    AGENT_SOCKETS "nexus_agentstream_sockets_total" Kind::Gauge, ["ccid"], "Open agent sockets.";
    AGENT_SOCKET_ERRORS "nexus_agentstream_socket_errors_total" Kind::Counter, ["ccid"],
        "Agent sockets that ended by a fault of the peer or the network.";
    SOCKET_CONNECTED "socket_io_connected" Kind::Gauge, [], "Open agent sockets of all tenants.";
    SOCKET_ACTIVE "socket_io_active_connections" Kind::Gauge, [], "Open WebSockets, authenticated or not.";
    SOCKET_CONNECTS "socket_io_connect_total" Kind::Counter, [], "WebSockets opened.";
    SOCKET_DISCONNECTS "socket_io_disconnect_total" Kind::Counter, [], "WebSockets closed.";
    SOCKET_EVENTS "socket_io_events_sent_total" Kind::Counter, [], "Events written to WebSockets.";
    SOCKET_ERRORS "socket_io_errors_total" Kind::Counter, [], "WebSockets that ended by a fault.";
    SOCKET_BYTES "socket_io_transmit_bytes" Kind::Counter, [], "Bytes written to WebSockets.";
    BOT_ERRORS "nexus_bot_errors_total" Kind::Counter, [], "Requests to bots that failed.";
    HUB_RECEIVED "hubpp_webhook_received_total" Kind::Counter, ["channelId"], "Callbacks received.";
    HUB_INVALID_SIGNATURE "hubpp_webhook_invalid_signature_total" Kind::Counter, ["channelType", "channelProvider", "channelId"],
        "Callbacks whose signature is wrong.";
    HUB_NO_SIGNATURE "hubpp_webhook_undefined_signature_total" Kind::Counter, ["channelType", "channelProvider", "channelId"],
        "Callbacks without a signature.";
    HUB_NO_SECRET "hubpp_webhook_channel_undefined_secret_total" Kind::Counter, ["channelType", "channelProvider", "channelId"],
        "Callbacks for a channel without a secret.";
    HUB_UNKNOWN "hubpp_webhook_unknown_channel_total" Kind::Counter, ["channelType", "channelProvider", "channelId"],
        "Callbacks for no channel.";
    HUB_FAILED "hubpp_webhook_with_error_total" Kind::Counter, ["channelType", "channelProvider", "channelId"],
        "Callbacks that could not be taken.";
    HUB_SENT "hubpp_public_send_total" Kind::Counter, ["channelId", "statusCode"], "Sends to providers.";
    HUB_SEND_DURATION "hubpp_whatsapp_send_duration" Kind::Histogram(SECONDS), ["url", "statusCode"],
        "Time of a send to a provider, in seconds; `url` is the name of the provider.";
    HUB_ERRORS "hubpp_errors_total" Kind::Counter, [], "Sends to providers that got no answer.";

    PROCESS_MEMORY "nexus_process_resident_memory_bytes" Kind::Gauge, [], "Resident memory.";
    PROCESS_CPU "nexus_process_cpu_seconds_total" Kind::Gauge, [], "Processor time used, in seconds.";
    PROCESS_FILES "nexus_process_open_fds" Kind::Gauge, [], "Open files.";
    PROCESS_MAX_FILES "nexus_process_max_fds" Kind::Gauge, [], "Files the process may have open.";
    PROCESS_START "nexus_process_start_time_seconds" Kind::Gauge, [], "When the process started, in Unix time.";
    LOOP_LAG "nexus_nodejs_eventloop_lag_seconds" Kind::Gauge, [], "How late the latest of the cores ran its last timer.";

    BUILD "nexus_build_info" Kind::Gauge, ["version", "git", "crypto"], "Always 1; the labels say what runs.";
    READY "nexus_ready" Kind::Gauge, [], "1 while the node takes traffic.";
    DRAIN "nexus_drain_phase" Kind::Gauge, [], "0 running, 1 not-ready, 2 closing, 3 flushing, 4 released, 5 stopped.";
    CONNECTIONS "nexus_connections" Kind::Gauge, [], "Open connections on the public and internal listeners.";
    CONNECTIONS_RESTING "nexus_connections_resting" Kind::Gauge, [],
        "HTTP/1 connections between two requests that hold no buffers meanwhile.";
    TURNED_AWAY "nexus_connections_refused_total" Kind::Counter, ["reason"], "Connections turned away before a request.";
    LIMITED "nexus_limited_total" Kind::Counter, ["limit"], "Requests answered 429, by the limit they met.";
    QUEUE_FULL "nexus_queue_full_total" Kind::Counter, ["queue"], "What found one of our queues full.";
    APPEND_SECONDS "nexus_log_append_seconds" Kind::Histogram(SECONDS), ["outcome"],
        "Time of an append to the log: committed, refused, repeated, unknown, failed.";
    APPEND_RECORDS "nexus_log_append_records" Kind::Histogram(COUNTS), [], "Records in one append.";
    APPENDS_UNKNOWN "nexus_log_unknown_total" Kind::Counter, [], "Appends whose outcome had to be read back.";
    APPENDS_REPEATED "nexus_log_repeats_total" Kind::Counter, [], "Requests that got the first answer of their key.";
    WEBHOOKS_DISABLED "nexus_webhooks_disabled_total" Kind::Counter, [], "Webhooks disabled because they answered nothing for too long.";
    MEDIA_SCANS "nexus_media_scans_total" Kind::Counter, ["outcome"], "Files a virus scanner was to look at: clean, infected, unavailable.";
    ATTACHMENTS_REFUSED "nexus_attachments_refused_total" Kind::Counter, [], "Files of messages that were not taken.";
    CAMPAIGN_BATCHES "nexus_campaign_batches_total" Kind::Counter, ["media", "test"], "Batches of campaigns taken, repeats not counted.";
    CAMPAIGN_MESSAGES "nexus_campaign_messages_total" Kind::Counter, ["outcome"],
        "Messages of campaigns: accepted, refused, sent, failed, opted_out.";
    TEXTS_STOPPED "nexus_texts_stopped_total" Kind::Counter, ["direction", "reason"],
        "Text messages that a tenant's or the node's rules let neither in nor out: number, too-many, too-long.";
    TEXT_SEGMENTS "nexus_text_segments_total" Kind::Counter, ["provider", "encoding"],
        "Short messages that providers have accepted, by alphabet: gsm7, ucs2.";
    SPOOLED "nexus_spooled_total" Kind::Counter, ["outcome"],
        "Callbacks kept on disk while the log was away: kept, full, failed, fed, set-aside.";
    SPOOL_HELD "nexus_spool_entries" Kind::Gauge, [], "Callbacks on disk that are not in the log yet.";
    WATCH_LOST "nexus_watch_lost_total" Kind::Counter, [], "Subscriptions to logs that were lost and compared again.";
    REPLICAS "nexus_shard_replicas" Kind::Gauge, [], "Logs this node holds a replica of.";
    RESUMES "nexus_agentstream_resumes_total" Kind::Counter, ["outcome"], "Resumed sockets: complete, gap, expired.";
    SLOW "nexus_agentstream_slow_total" Kind::Counter, [], "Sockets closed because the peer did not read.";
    KEY_SETS "nexus_key_set_fetches_total" Kind::Counter, ["outcome"], "Fetches of the auth service's key set: taken, failed.";
    LAGGING "nexus_agentstream_lagging_total" Kind::Counter, [],
        "Times a peer that reads slowly was so far behind that it was told so.";
    OFFERS "nexus_offers_total" Kind::Counter, ["outcome"], "Offers to agents: accepted, rejected, expired, refused by the desk, withdrawn.";
    EFFECTS "nexus_effects_total" Kind::Counter, ["kind", "outcome"], "Effects tried: done, retried, dead.";
    DEAD_DROPPED "nexus_dead_letters_dropped_total" Kind::Counter, [],
        "Dead letters dropped for their age or number.";
    OUTBOUND_CALLS "nexus_outbound_calls_total" Kind::Counter, ["guard", "outcome"],
        "Requests made, by who gave the URL and what came of it.";
    OUTBOUND_CONNECTIONS "nexus_outbound_connections" Kind::Gauge, [], "Connections open to other services.";
    OUTBOUND_REUSED "nexus_outbound_reused_total" Kind::Counter, [], "Requests made on a connection that was there.";
    GWS_LINK "nexus_gws_link_total" Kind::Counter, ["event"],
        "Links to GWS: connected, lost, returned, reread, offered, foreign, failed, unreadable.";
    GWS_ROUTING "nexus_gws_routing_total" Kind::Counter, ["event"],
        "Routing by GWS: submitted, refused, away, and takeover by the built-in router and handback.";
    LOG_LINES_DROPPED "nexus_log_lines_dropped_total" Kind::Counter, [],
        "Log lines lost because the reader of the log was too slow.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_well_formed() {
        let mut seen = HashSet::new();
        for metric in ALL {
            assert!(seen.insert(metric.name), "{} is listed twice", metric.name);
            let sound = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(metric.name.chars().all(sound), "{}", metric.name);
            assert!(metric.help.ends_with('.'), "{} has no sentence", metric.name);
        }
    }

    /// Vendor dashboards query these; renaming one breaks somebody's alert.
    #[test]
    fn the_names_others_query_are_there() {
        let names: HashSet<&str> = ALL.iter().map(|metric| metric.name).collect();
        for name in [
            "nexus_api_request_total",
            "nexus_api_request_duration_milliseconds",
            "nexus_request_total",
            "nexus_errors_total",
            "nexus_chat_active_sessions_total",
            "nexus_chat_new_sessions_total",
            "nexus_chat_new_sessions_ok",
            "nexus_chat_new_sessions_fail",
            "nexus_chat_duration_create_session_request",
            "nexus_agentstream_sockets_total",
            "nexus_agentstream_socket_errors_total",
            "socket_io_connected",
            "socket_io_active_connections",
            "socket_io_connect_total",
            "socket_io_disconnect_total",
            "socket_io_events_sent_total",
            "socket_io_errors_total",
            "socket_io_transmit_bytes",
            "nexus_bot_errors_total",
            "hubpp_webhook_received_total",
            "hubpp_webhook_invalid_signature_total",
            "hubpp_webhook_undefined_signature_total",
            "hubpp_webhook_channel_undefined_secret_total",
            "hubpp_webhook_unknown_channel_total",
            "hubpp_webhook_with_error_total",
            "hubpp_public_send_total",
            "hubpp_whatsapp_send_duration",
            "hubpp_errors_total",
        ] {
            assert!(names.contains(name), "{name}");
        }
    }
}
