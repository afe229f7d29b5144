//! The colours of services.

/// Returns the colour of a service, by its place among the services. It stands out from a light and a dark background
/// alike. The script of the page has the same rule.
pub(crate) fn color(index: usize) -> String {
    let lightness = ["0.6", "0.54", "0.65"][index / 7 % 3];
    let hue = (250.0 + index as f64 * 137.5) % 360.0;
    format!("oklch({lightness} 0.13 {hue})")
}
