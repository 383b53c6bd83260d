//! CAPABILITY (RFC 3501 6.1.1).

use super::{Completion, Output, Transport};
use crate::session::State;
use crate::wire::response::Writer;

/// What a session may use.
const LOGGED_IN: &[&str] = &[
    "IMAP4rev1",
    "SASL-IR",
    "LITERAL+",
    "IDLE",
    "NAMESPACE",
    "ID",
    "UNSELECT",
    "UIDPLUS",
    "MOVE",
    "CHILDREN",
    "SPECIAL-USE",
    "CREATE-SPECIAL-USE",
    "ENABLE",
    "CONDSTORE",
    "QRESYNC",
    "QUOTA",
    "QUOTA=RES-STORAGE",
    "QUOTA=RES-MESSAGE",
];

/// `* CAPABILITY ...`
pub fn run<L>(out: &mut dyn Output, state: &State<L>, transport: Transport) -> Completion {
    Writer::new(out.buffer()).capability(&list(state.login().is_some(), transport));
    Completion::done()
}

/// The capabilities at this moment.
pub fn list(logged_in: bool, transport: Transport) -> Vec<&'static str> {
    if logged_in {
        return LOGGED_IN.to_vec();
    }
    let mut capabilities = vec!["IMAP4rev1", "SASL-IR", "LITERAL+", "ID", "ENABLE", "IDLE"];
    if !transport.tls && transport.can_start_tls {
        capabilities.push("STARTTLS");
    }
    if transport.passwords {
        capabilities.extend(["AUTH=PLAIN", "AUTH=LOGIN"]);
    } else {
        capabilities.push("LOGINDISABLED");
    }
    capabilities
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_offered_only_where_they_are_taken() {
        let client = ([127, 0, 0, 1], 1).into();
        let plain = list(false, Transport { client, tls: false, can_start_tls: true, passwords: false });
        assert!(
            plain.contains(&"STARTTLS") && plain.contains(&"LOGINDISABLED") && !plain.contains(&"AUTH=PLAIN")
        );
        let tls = list(false, Transport { client, tls: true, can_start_tls: true, passwords: true });
        assert!(!tls.contains(&"STARTTLS") && !tls.contains(&"LOGINDISABLED") && tls.contains(&"AUTH=PLAIN"));
    }
}
