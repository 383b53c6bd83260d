//! Unprivileged ports: the well-known ones moved up, or others when those are taken.

use std::net::{IpAddr, SocketAddr, TcpListener};

use rand::Rng;

use crate::configuration::Ports;

/// Each port's distance from the base.
const OFFSETS: [u16; 8] = [25, 587, 465, 143, 993, 110, 995, 900];

/// Where a platform listens when nobody else does: 25 becomes 2025, 143 becomes 2143.
const BASE: u16 = 2000;

/// Chooses one set of ports that is free on every address.
///
/// # Errors
/// No set was free in many tries.
pub fn choose(hosts: &[IpAddr]) -> anyhow::Result<Ports> {
    let others = (0..200).map(|_| rand::rng().random_range(20..60) * 1000);
    let base = [BASE].into_iter().chain(others).find(|base| is_free(hosts, *base));
    let base = base.ok_or_else(|| anyhow::anyhow!("no free ports on {hosts:?}"))?;
    let [smtp, submission, submissions, imap, imaps, pop3, pop3s, admin] =
        OFFSETS.map(|offset| base + offset);
    Ok(Ports { smtp, submission, submissions, imap, imaps, pop3, pop3s, admin })
}

fn is_free(hosts: &[IpAddr], base: u16) -> bool {
    let free = |address: SocketAddr| TcpListener::bind(address).is_ok();
    hosts.iter().all(|host| OFFSETS.iter().all(|offset| free(SocketAddr::new(*host, base + offset))))
}
