//! ENABLE (RFC 5161), for CONDSTORE and QRESYNC (RFC 7162 3.1.12, 3.2.3).

use super::{Completion, Output};
use crate::session::Enabled;
use crate::wire::response::Writer;

/// Switches on what we know; the rest is passed over in silence.
pub fn run(out: &mut dyn Output, enabled: &mut Enabled, names: &[String]) -> Completion {
    let before = *enabled;
    for name in names {
        match name.as_str() {
            "CONDSTORE" => enabled.condstore = true,
            // "ENABLE QRESYNC" also enables CONDSTORE (RFC 7162 3.2.3).
            "QRESYNC" => *enabled = Enabled { condstore: true, qresync: true },
            _ => {}
        }
    }
    let mut switched = Vec::new();
    if enabled.condstore && !before.condstore {
        switched.push("CONDSTORE");
    }
    if enabled.qresync && !before.qresync {
        switched.push("QRESYNC");
    }
    Writer::new(out.buffer()).enabled(&switched);
    Completion::done()
}
