//! Every step told: `posthouse explain`.

use std::sync::{Mutex, PoisonError};

/// One step of the way of an address; the fields are those of `posthouse explain --json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// `standard`, `canonical`, `masquerade`, `virtual`, `class`, `account`, `alias`, `detail`, `postmaster`, `catch-all`, `remote`, `deliver`,
    /// `unknown`, `later`, `refused`, `again`, `endless`
    pub step: &'static str,
    pub input: String,
    pub output: String,
    pub because: String,
}

/// Where steps are told; off, it costs nothing.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    steps: Option<Mutex<Vec<Step>>>,
}

impl Trace {
    pub(crate) fn on() -> Trace {
        Trace { steps: Some(Mutex::default()) }
    }

    /// The texts are only made when somebody listens.
    pub(crate) fn tell(&self, step: &'static str, input: &dyn std::fmt::Display, told: impl FnOnce() -> (String, String)) {
        if let Some(steps) = &self.steps {
            let (output, because) = told();
            steps.lock().unwrap_or_else(PoisonError::into_inner).push(Step { step, input: input.to_string(), output, because });
        }
    }

    pub(crate) fn into_steps(self) -> Vec<Step> {
        self.steps.map(|steps| steps.into_inner().unwrap_or_else(PoisonError::into_inner)).unwrap_or_default()
    }
}
