/// A setting of a [`Config`](crate::Config): its name, its variables, its values and its default.
///
/// [`settings`](crate::config::settings) returns all of them. Texts may hold names in backticks, as Markdown does.
///
/// ```
/// use tracehound::config::settings;
///
/// let flush = settings().iter().find(|it| it.name() == "flush_interval").expect("a setting");
/// assert_eq!(flush.variables()[0], "JAEGER_REPORTER_FLUSH_INTERVAL");
/// assert_eq!(flush.value(), "duration");
/// assert_eq!(flush.feature(), None);
/// println!("{}; default {}", flush.meaning(), flush.default_value());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettingInfo {
    name: &'static str,
    variables: &'static [&'static str],
    value: &'static str,
    default: &'static str,
    meaning: &'static str,
    feature: Option<&'static str>,
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

pub(super) const fn setting(name: &'static str, meaning: &'static str) -> SettingInfo {
    SettingInfo {
        name,
        variables: &[],
        value: "",
        default: "",
        meaning,
        feature: None,
    }
}

impl SettingInfo {
    pub(super) const fn takes(mut self, value: &'static str, default: &'static str) -> Self {
        self.value = value;
        self.default = default;
        self
    }

    pub(super) const fn read_from(mut self, variables: &'static [&'static str]) -> Self {
        self.variables = variables;
        self
    }

    pub(super) const fn needs(mut self, feature: &'static str) -> Self {
        self.feature = Some(feature);
        self
    }
}
