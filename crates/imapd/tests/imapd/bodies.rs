//! Large messages, both ways.
