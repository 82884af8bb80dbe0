//! Records and their queries.
