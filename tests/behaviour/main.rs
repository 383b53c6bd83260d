//! How whole platforms behave: every service as its own process, on real dependencies. One module per behaviour.

mod flow;
