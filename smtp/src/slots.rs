//! The places for connections, and the memory for mails. What is taken is given back when its guard is dropped.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The places for connections.
#[derive(Debug)]
pub(crate) struct Slots {
    most: usize,
    most_per_client: usize,
    taken: Mutex<HashMap<IpAddr, usize>>,
    total: AtomicUsize,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoSlot {
    /// The server has no place left.
    Full,
    /// The client has too many connections.
    Client,
}

/// A place for a connection.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    client: IpAddr,
}

impl Slots {
    pub(crate) fn new(most: usize, most_per_client: usize) -> Self {
        Self {
            most,
            most_per_client,
            taken: Mutex::default(),
            total: AtomicUsize::new(0),
        }
    }

    /// Takes a place for a client.
    pub(crate) fn take(self: &Arc<Self>, client: IpAddr) -> Result<Slot, NoSlot> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if self.total.load(Ordering::Relaxed) >= self.most {
            return Err(NoSlot::Full);
        }
        let of_client = taken.entry(client).or_default();
        if *of_client >= self.most_per_client {
            return Err(NoSlot::Client);
        }
        *of_client += 1;
        self.total.fetch_add(1, Ordering::Relaxed);
        Ok(Slot {
            slots: Arc::clone(self),
            client,
        })
    }

    /// Returns the number of places that are taken.
    pub(crate) fn taken(&self) -> usize {
        self.total.load(Ordering::Relaxed)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_client) = taken.get_mut(&self.client) {
            *of_client = of_client.saturating_sub(1);
            if *of_client == 0 {
                taken.remove(&self.client);
            }
        }
        self.slots.total.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The memory for mails.
#[derive(Debug)]
pub(crate) struct Memory {
    free: AtomicUsize,
}

/// The memory that one mail takes.
#[derive(Debug)]
pub(crate) struct Taken {
    memory: Arc<Memory>,
    bytes: usize,
}

impl Memory {
    pub(crate) fn new(bytes: usize) -> Self {
        Self {
            free: AtomicUsize::new(bytes),
        }
    }

    /// Begins to take memory.
    pub(crate) fn begin(self: &Arc<Self>) -> Taken {
        Taken {
            memory: Arc::clone(self),
            bytes: 0,
        }
    }
}

impl Taken {
    /// Takes more memory, and returns whether there was enough.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let less = |free: usize| free.checked_sub(bytes);
        let taken = self
            .memory
            .free
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        if taken.is_ok() {
            self.bytes += bytes;
        }
        taken.is_ok()
    }

    /// Gives all of it back.
    pub(crate) fn clear(&mut self) {
        self.memory
            .free
            .fetch_add(std::mem::take(&mut self.bytes), Ordering::Relaxed);
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn connections_have_places_until_they_end() {
        let slots = Arc::new(Slots::new(3, 2));
        let first = slots.take(client(1)).unwrap();
        let second = slots.take(client(1)).unwrap();
        assert_eq!(slots.take(client(1)).unwrap_err(), NoSlot::Client);
        let third = slots.take(client(2)).unwrap();
        assert_eq!(slots.take(client(3)).unwrap_err(), NoSlot::Full);
        drop(first);
        let fourth = slots.take(client(1)).unwrap();
        assert_eq!(slots.taken(), 3);
        drop((second, third, fourth));
        assert_eq!(slots.taken(), 0);
        assert!(slots.taken.lock().unwrap().is_empty());
    }

    #[test]
    fn mails_share_the_memory() {
        let memory = Arc::new(Memory::new(10));
        let mut one = memory.begin();
        assert!(one.grow(6));
        let mut other = memory.begin();
        assert!(!other.grow(5));
        assert!(other.grow(4));
        one.clear();
        assert!(other.grow(6));
        drop(other);
        assert!(one.grow(10));
    }
}
