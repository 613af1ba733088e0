//! Killed at any instruction, and the power cut: what was answered with 250 is there, once.

#![forbid(unsafe_code)]
