//! How whole platforms behave: every service as its own process, on real dependencies. One module per behaviour.

mod crash;
mod dependencies;
mod drain;
mod flow;
mod limits;
mod load;
mod porter;
mod sessions;
mod trace;
