//! What holds for the whole tree whatever it does: the arrows between crates.

mod arrows;
