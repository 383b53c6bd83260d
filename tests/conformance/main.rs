//! What holds for the whole tree whatever it does: the arrows between crates.

#![expect(clippy::unwrap_used, reason = "a test that cannot read the tree has failed")]

mod arrows;
