//! The answers of the samplers of a plan. Tracehound and the model share them.

use super::plan::SamplerPlan;

#[derive(Clone, Copy)]
pub(super) struct Rules(pub(super) SamplerPlan);

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// Keeps the trace, with this `sampler.type`.
    Keep(&'static str),
    Drop,
    Delay,
}

impl Rules {
    pub(super) fn on_name(self, name: &str, is_local_root: bool) -> Answer {
        match self.0 {
            // A constant sampler is not asked about a child.
            SamplerPlan::Const(_) if !is_local_root => Answer::Delay,
            SamplerPlan::Const(true) => Answer::Keep("const"),
            SamplerPlan::Const(false) => Answer::Drop,
            SamplerPlan::ByName if name.starts_with("keep") => Answer::Keep("by_name"),
            SamplerPlan::ByName => Answer::Drop,
            SamplerPlan::Weighing { .. } if !is_local_root => Answer::Delay,
            SamplerPlan::Delayed { .. } | SamplerPlan::Weighing { .. } => match name {
                "sure" => Answer::Keep("by_name"),
                "never" => Answer::Drop,
                _ => Answer::Delay,
            },
        }
    }

    pub(super) fn on_tag(self, key: &str) -> Answer {
        match (self.0, key) {
            (SamplerPlan::Delayed { .. } | SamplerPlan::Weighing { .. }, "keep") => {
                Answer::Keep("by_tag")
            }
            (SamplerPlan::Delayed { .. } | SamplerPlan::Weighing { .. }, "let_go") => Answer::Drop,
            _ => Answer::Delay,
        }
    }

    pub(super) fn on_finish(self, is_local_root: bool) -> Answer {
        match self.0 {
            SamplerPlan::Delayed { keeps_at_end: true }
            | SamplerPlan::Weighing { keeps_at_end: true }
                if is_local_root =>
            {
                Answer::Keep("by_end")
            }
            SamplerPlan::Weighing { .. } if is_local_root => Answer::Drop,
            _ => Answer::Delay,
        }
    }

    /// Returns whether the sampler wants to know of new names in undecided traces.
    pub(super) fn asks_about_names(self) -> bool {
        !self.weighs_dropped()
    }

    /// Returns whether traces begin undecided that the caller has dropped.
    pub(super) fn weighs_dropped(self) -> bool {
        matches!(self.0, SamplerPlan::Weighing { .. })
    }

    pub(super) fn may_be_asked_again(self) -> bool {
        self.0 == SamplerPlan::ByName
    }
}
