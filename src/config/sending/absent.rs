//! Takes the place of the settings of ways whose features are off: refuses their variables.

use crate::config::catalogue;
use crate::config::error::ConfigProblem;
use crate::config::explanation::ExplainedSetting;
#[cfg(not(feature = "collector"))]
use crate::config::sending::way::JaegerProtocol;
use crate::config::sending::way::Way;
use crate::config::setting::Setting;
use crate::config::variables::Variables;
use crate::reporter::Reporter;

macro_rules! absent {
    ($name:ident, $feature:literal, $asks_for:literal) => {
        #[cfg(not(feature = $feature))]
        #[derive(Default)]
        pub(super) struct $name(());

        #[cfg(not(feature = $feature))]
        impl $name {
            fn refuse(&self, variables: &mut Variables<'_>) {
                for name in catalogue::variables_of($feature) {
                    // The others have a meaning for other ways, too.
                    let is_own = (name.starts_with("JAEGER_") || name.contains("_EXPORTER_"))
                        && !name.ends_with("JAEGER_PROTOCOL");
                    if let Some(value) = variables.get(name).filter(|_| is_own) {
                        variables.report(ConfigProblem::unsupported(name, &value, $asks_for));
                    }
                }
            }

            pub(super) fn way_of_variable(&self, _family: &str) -> Option<Setting<Way>> {
                None
            }

            pub(super) fn explain(&self) -> Vec<ExplainedSetting> {
                Vec::new()
            }

            pub(super) fn reporter(
                &self,
                _warnings: &mut Vec<ConfigProblem>,
            ) -> Result<(Box<dyn Reporter>, String), ConfigProblem> {
                Err(ConfigProblem::missing("sender", $asks_for))
            }
        }
    };
}

absent!(
    Collector,
    "collector",
    "sending to a collector over HTTP, which the feature `collector` of this crate brings"
);
absent!(
    Otlp,
    "otlp",
    "sending OTLP, which the feature `otlp` of this crate brings"
);
absent!(
    Zipkin,
    "zipkin",
    "sending to Zipkin, which the feature `zipkin` of this crate brings"
);

#[cfg(not(feature = "collector"))]
impl Collector {
    pub(super) fn read(
        self,
        variables: &mut Variables<'_>,
        _protocol: Option<&Setting<JaegerProtocol>>,
    ) -> Self {
        self.refuse(variables);
        self
    }

    pub(super) fn check(&mut self, _is_used: bool, _variables: &mut Variables<'_>) {}
}

#[cfg(not(feature = "otlp"))]
impl Otlp {
    pub(super) fn read(self, variables: &mut Variables<'_>) -> Self {
        self.refuse(variables);
        self
    }
}

#[cfg(not(feature = "zipkin"))]
impl Zipkin {
    pub(super) fn read(self, variables: &mut Variables<'_>) -> Self {
        self.refuse(variables);
        self
    }
}
