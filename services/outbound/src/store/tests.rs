//! The contract on a real PostgreSQL, and what only this implementation promises.
