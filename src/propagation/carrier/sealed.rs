/// Proof that a call comes from this crate.
///
/// Its path is private, so a carrier of a program can neither call nor override a method that takes one: such methods may
/// change with any release.
#[derive(Clone, Copy, Debug)]
pub struct Internal(());

impl Internal {
    pub(in crate::propagation) const CALL: Self = Self(());
}
