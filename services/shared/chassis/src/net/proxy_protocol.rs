//! The PROXY protocol header (haproxy.org, `proxy-protocol.txt`), v1 and v2.
//!
//! Exactly the header is read, never a byte more: what follows belongs to the protocol behind it.

use std::io;
use std::net::SocketAddr;

use proxy_header::{ParseConfig, Protocol, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt as _};

const V2_SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// "a 108-byte buffer is always enough to store all the line and a trailing zero" (2.1).
const V1_MAX: usize = 107;
/// Addresses and TLVs of real proxies are far below; the length field would allow 64 KiB.
const V2_MAX_PAYLOAD: usize = 4096;

/// Whom the header names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The proxy speaks for this client, who connected to this address.
    Client { client: SocketAddr, local: SocketAddr },
    /// The proxy speaks for itself (v2 LOCAL, v1 UNKNOWN): a health check.
    Proxy,
}

/// Reads one header.
///
/// # Errors
/// What arrives is not a header, or the peer goes away.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Origin> {
    // 12 bytes are shorter than any header, so nothing behind it is touched.
    let mut header = vec![0; V2_SIGNATURE.len()];
    stream.read_exact(&mut header).await?;
    if header == V2_SIGNATURE {
        read_v2(stream, &mut header).await?;
    } else if header.starts_with(b"PROXY ") {
        read_v1(stream, &mut header).await?;
    } else {
        return Err(invalid("no PROXY header"));
    }
    parse(&header)
}

async fn read_v2(stream: &mut (impl AsyncRead + Unpin), header: &mut Vec<u8>) -> io::Result<()> {
    let mut fixed = [0; 4];
    stream.read_exact(&mut fixed).await?;
    let payload = usize::from(u16::from_be_bytes([fixed[2], fixed[3]]));
    if payload > V2_MAX_PAYLOAD {
        return Err(invalid("PROXY header too long"));
    }
    header.extend_from_slice(&fixed);
    let start = header.len();
    header.resize(start + payload, 0);
    stream.read_exact(&mut header[start..]).await?;
    Ok(())
}

async fn read_v1(stream: &mut (impl AsyncRead + Unpin), header: &mut Vec<u8>) -> io::Result<()> {
    while !header.ends_with(b"\r\n") {
        if header.len() >= V1_MAX {
            return Err(invalid("PROXY line too long"));
        }
        header.push(stream.read_u8().await?);
    }
    Ok(())
}

fn parse(header: &[u8]) -> io::Result<Origin> {
    let config = ParseConfig { include_tlvs: false, allow_v1: true, allow_v2: true };
    let (parsed, used) =
        ProxyHeader::parse(header, config).map_err(|error| invalid(&format!("PROXY header: {error:?}")))?;
    if used != header.len() {
        return Err(invalid("PROXY header has a wrong length"));
    }
    match parsed.proxied_address() {
        None => Ok(Origin::Proxy),
        Some(address) if address.protocol == Protocol::Stream => {
            Ok(Origin::Client { client: address.source, local: address.destination })
        }
        Some(_) => Err(invalid("PROXY header is not about TCP")),
    }
}

fn invalid(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: Origin = Origin::Client {
        client: SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 1234),
        local: SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 2)), 25),
    };

    fn v2(command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
        let mut header = V2_SIGNATURE.to_vec();
        header.extend([0x20 | command, family]);
        header.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        header.extend(payload);
        header
    }

    const TCP4: [u8; 12] = [192, 0, 2, 1, 198, 51, 100, 2, 0x04, 0xD2, 0, 25];

    /// The result, and what is left for the protocol behind.
    async fn read_from(header: &[u8]) -> (io::Result<Origin>, Vec<u8>) {
        let mut input = [header, b"EHLO"].concat();
        let mut rest = input.as_mut_slice() as &[u8];
        let result = read(&mut rest).await;
        (result, rest.to_vec())
    }

    #[tokio::test]
    async fn v1_and_v2_name_the_client_and_leave_what_follows() {
        let mut with_tlv = TCP4.to_vec();
        with_tlv.extend([0xEA, 0, 2, 1, 2]);
        let headers = [
            b"PROXY TCP4 192.0.2.1 198.51.100.2 1234 25\r\n".to_vec(),
            v2(1, 0x11, &TCP4),
            v2(1, 0x11, &with_tlv),
        ];
        for header in headers {
            let (origin, rest) = read_from(&header).await;
            assert_eq!((origin.unwrap(), rest.as_slice()), (CLIENT, b"EHLO".as_slice()));
        }
        let (origin, _) = read_from(b"PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n").await;
        assert!(matches!(origin.unwrap(), Origin::Client { client: SocketAddr::V6(_), .. }));
    }

    #[tokio::test]
    async fn local_and_unknown_speak_for_the_proxy() {
        for header in [v2(0, 0x00, &[]), v2(0, 0x11, &TCP4), b"PROXY UNKNOWN\r\n".to_vec()] {
            let (origin, rest) = read_from(&header).await;
            assert_eq!((origin.unwrap(), rest.as_slice()), (Origin::Proxy, b"EHLO".as_slice()));
        }
    }

    #[tokio::test]
    async fn anything_else_is_refused() {
        let too_long = [b"PROXY TCP4 ".to_vec(), vec![b'1'; 200]].concat();
        let headers = [
            b"EHLO example.org\r\n".to_vec(),
            b"PROXY TCP4 1.2.3.4 5.6.7.8 99999 25\r\n".to_vec(),
            b"PROXY TCP4 1.2.3.4\r\n".to_vec(),
            too_long,
            v2(1, 0x12, &TCP4),
            v2(7, 0x11, &TCP4),
            v2(1, 0x11, &[0; 5]),
            v2(1, 0x11, &[0; 5000]),
            V2_SIGNATURE.to_vec(),
        ];
        for header in headers {
            assert!(read_from(&header).await.0.is_err(), "{header:?}");
        }
    }
}
