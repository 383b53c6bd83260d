//! Between the flags of the wire and those of the store (pure).

use staffetta_mailstore_api::{Flags, Keyword, SystemFlag};

use crate::wire::flag::Flag;

/// The flags a client names. `\Recent` cannot be set and is left out (RFC 3501 2.3.2); a system flag we do not know, or a
/// keyword that is too long, is refused.
pub fn from_wire(flags: &[Flag]) -> Result<Flags, String> {
    let mut result = Flags::default();
    for flag in flags {
        match flag {
            Flag::Seen => result.insert(SystemFlag::Seen),
            Flag::Answered => result.insert(SystemFlag::Answered),
            Flag::Flagged => result.insert(SystemFlag::Flagged),
            Flag::Deleted => result.insert(SystemFlag::Deleted),
            Flag::Draft => result.insert(SystemFlag::Draft),
            Flag::Recent => {}
            Flag::Keyword(name) => match Keyword::try_from(name.clone()) {
                Ok(keyword) => result.insert_keyword(keyword),
                Err(error) => return Err(format!("Keyword refused: {error}")),
            },
            Flag::Extension(name) => return Err(format!("There is no system flag \\{name}")),
        }
    }
    Ok(result)
}

/// The names that a FETCH response gives.
pub fn names<'a>(flags: &'a Flags, recent: bool) -> impl Iterator<Item = &'a str> {
    let system = flags.system().map(|flag| -> &'a str { flag.name() });
    system.chain(recent.then_some("\\Recent")).chain(flags.keywords().iter().map(Keyword::as_str))
}
