//! The file descriptors that the process may have. Each connection needs one, and one more while its mail is passed on.
//! Many systems allow 1,024 at first, and more on request.

use rustix::process::{Resource, getrlimit, setrlimit};

/// The descriptors that are needed beside those of connections.
const OTHERS: u64 = 64;

/// Asks the operating system for enough file descriptors, and returns for how many connections they are enough.
#[must_use]
pub fn raise_limit(connections: usize) -> usize {
    let needed = (connections as u64).saturating_mul(2).saturating_add(OTHERS);
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < needed) {
        let raised = limit.maximum.map_or(needed, |most| most.min(needed));
        limit.current = Some(raised);
        if setrlimit(Resource::Nofile, limit).is_err() {
            limit = getrlimit(Resource::Nofile);
        }
    }
    let enough = limit
        .current
        .map_or(u64::MAX, |current| current.saturating_sub(OTHERS) / 2);
    usize::try_from(enough).unwrap_or(usize::MAX).min(connections)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_connections_always_have_enough() {
        assert_eq!(raise_limit(10), 10);
        assert!(raise_limit(usize::MAX) > 10);
    }
}
