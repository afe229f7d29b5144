mod setting_info;
mod table;

pub use self::setting_info::SettingInfo;
use self::table::SETTINGS;

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
    let of_feature = settings.filter(move |setting| setting.feature() == Some(feature));
    of_feature.flat_map(|setting| setting.variables()).copied()
}
