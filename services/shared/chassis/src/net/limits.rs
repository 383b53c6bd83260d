//! How many connections a listener has, in all and by client.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The counters of one listener; clones share them.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    state: Arc<Mutex<State>>,
    max: usize,
    max_per_client: usize,
}

#[derive(Debug, Default)]
struct State {
    total: usize,
    clients: HashMap<IpAddr, usize>,
}

impl Limits {
    pub(super) fn new(max: usize, max_per_client: usize) -> Self {
        Self { state: Arc::default(), max, max_per_client }
    }

    /// A place among all connections, or none.
    pub(super) fn enter(&self) -> Option<Slot> {
        let mut state = self.state();
        if state.total >= self.max {
            return None;
        }
        state.total += 1;
        Some(Slot { limits: self.clone(), client: None })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one connection; free again when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    limits: Limits,
    client: Option<IpAddr>,
}

impl Slot {
    /// Counts the connection for `address` too; false when that client has its share already.
    pub(super) fn claim(&mut self, address: IpAddr) -> bool {
        let client = client_of(address);
        let mut state = self.limits.state();
        let count = state.clients.entry(client).or_default();
        if *count >= self.limits.max_per_client {
            return false;
        }
        *count += 1;
        self.client = Some(client);
        true
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut state = self.limits.state();
        state.total -= 1;
        if let Some(client) = self.client
            && let Some(count) = state.clients.get_mut(&client)
        {
            *count -= 1;
            if *count == 0 {
                state.clients.remove(&client);
            }
        }
    }
}

/// One IPv6 host owns a /64; an IPv4-mapped address is the IPv4 address.
fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_has_its_share_and_places_return() {
        let limits = Limits::new(3, 2);
        let client: IpAddr = "2001:db8::1".parse().unwrap();
        let mut slots: Vec<Slot> = (0..3).map(|_| limits.enter().unwrap()).collect();
        assert!(limits.enter().is_none(), "the listener is full");
        assert!(slots[0].claim(client) && slots[1].claim("2001:db8::2".parse().unwrap()));
        assert!(!slots[2].claim(client), "a /64 is one client");
        assert!(slots[2].claim("2001:db8:0:1::1".parse().unwrap()));
        slots.remove(0);
        assert!(limits.enter().unwrap().claim(client));
        drop(slots);
        assert!(limits.state().clients.is_empty());
    }
}
