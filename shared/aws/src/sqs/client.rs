//! The client of SQS, which a function makes with its first call.

use std::fmt;
use std::sync::{Arc, LazyLock};

use aws_sdk_sqs::Client;

/// A client of SQS, or the way to make one.
///
/// Most mails need no hint, and most events no delivery. To make a client costs some 0.4 million instructions, most of
/// them for the SDK's list of partitions, so a function pays for it when it calls.
#[derive(Clone)]
pub struct SqsClient(Arc<LazyLock<Client, Box<dyn FnOnce() -> Client + Send>>>);

impl SqsClient {
    /// Makes the client with its first call.
    pub(crate) fn later(make: impl FnOnce() -> Client + Send + 'static) -> Self {
        Self(Arc::new(LazyLock::new(Box::new(make))))
    }

    pub(crate) fn get(&self) -> &Client {
        &self.0
    }
}

impl From<Client> for SqsClient {
    fn from(client: Client) -> Self {
        Self::later(move || client)
    }
}

impl fmt::Debug for SqsClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SqsClient")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn is_made_once_and_not_before_the_first_call() {
        let made = Arc::new(AtomicUsize::new(0));
        let client = SqsClient::later({
            let made = Arc::clone(&made);
            move || {
                made.fetch_add(1, Ordering::Relaxed);
                let config = aws_sdk_sqs::Config::builder().behavior_version(crate::behavior_version());
                Client::from_conf(config.build())
            }
        });
        let other = client.clone();
        assert_eq!(made.load(Ordering::Relaxed), 0);
        let (_, _) = (client.get(), other.get());
        assert_eq!(made.load(Ordering::Relaxed), 1);
    }
}
