//! Channel names and the globs of subscriptions.

/// Whether a subscription covers a channel: `*` stands for one segment, a trailing `**` for one or more.
pub(super) fn covers(subscription: &str, channel: &str) -> bool {
    let mut wanted = subscription.split('/');
    let mut segments = channel.split('/');
    loop {
        match (wanted.next(), segments.next()) {
            (None, None) => return true,
            (Some("**"), Some(_)) => return wanted.next().is_none(),
            (Some("*"), Some(_)) => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return false,
        }
    }
}

/// Whether a channel belongs to the protocol itself.
pub(super) fn is_meta(channel: &str) -> bool {
    channel.starts_with("/meta/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_reach_as_far_as_they_say() {
        assert!(covers("/a/b", "/a/b"));
        assert!(covers("/a/*", "/a/b"));
        assert!(!covers("/a/*", "/a/b/c"));
        assert!(covers("/a/**", "/a/b/c"));
        assert!(!covers("/a/**", "/a"));
        assert!(!covers("/a", "/a/b"));
        assert!(!covers("/a/b", "/a"));
    }
}
