//! LOGIN — draft-murchison-sasl-login-00: two prompts, two answers. An initial response is the user name.

/// First prompt; on the wire `VXNlcm5hbWU6`, which some clients compare letter by letter.
pub(crate) const USERNAME: &[u8] = b"Username:";
/// Second prompt; on the wire `UGFzc3dvcmQ6`.
pub(crate) const PASSWORD: &[u8] = b"Password:";
