mod table;

use self::table::SETTINGS;

/// One setting of a [`Config`](crate::Config): its name, its variables, its values and its default.
///
/// [`settings`] returns all of them. Texts may hold names in backticks, as Markdown does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettingInfo {
    name: &'static str,
    variables: &'static [&'static str],
    value: &'static str,
    default: &'static str,
    meaning: &'static str,
    feature: Option<&'static str>,
}

/// Returns every setting of this crate, those of features that are off in this build included.
///
/// A page of a manual or the answer to `--help` can print them:
///
/// ```
/// for setting in tracehound::config::settings() {
///     println!("{}: {}", setting.name(), setting.meaning());
///     if let [first, others @ ..] = setting.variables() {
///         println!("    {first} ({}); default {}", setting.value(), setting.default_value());
///         println!("    if it is not set: {}", others.join(", "));
///     }
/// }
/// ```
pub fn settings() -> &'static [SettingInfo] {
    &SETTINGS
}

impl SettingInfo {
    /// Returns the name, which is that of its row in an [`Explanation`](crate::config::Explanation) and of its setter,
    /// if it has one.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the variables that set it: the first one that is set counts. A setting without any is for code alone.
    pub fn variables(&self) -> &'static [&'static str] {
        self.variables
    }

    /// Returns what a value of its variables looks like, such as `duration` or `1 to 65535`.
    pub fn value(&self) -> &'static str {
        self.value
    }

    /// Returns what counts if neither a variable nor the code sets it, as an
    /// [`Explanation`](crate::config::Explanation) writes it.
    pub fn default_value(&self) -> &'static str {
        self.default
    }

    /// Returns what it sets, in a few words.
    pub fn meaning(&self) -> &'static str {
        self.meaning
    }

    /// Returns the feature of this crate that brings it, if it is not in every build.
    pub fn feature(&self) -> Option<&'static str> {
        self.feature
    }
}

/// Returns the variables of the settings that a feature brings.
#[cfg(not(all(
    feature = "udp",
    feature = "remote-sampler",
    feature = "collector",
    feature = "otlp",
    feature = "zipkin"
)))]
pub(super) fn variables_of(feature: &'static str) -> impl Iterator<Item = &'static str> {
    let settings = SETTINGS.iter();
    let of_feature = settings.filter(move |setting| setting.feature == Some(feature));
    of_feature.flat_map(|setting| setting.variables).copied()
}
