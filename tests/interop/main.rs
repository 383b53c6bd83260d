//! Real mail programs against a running local platform.
