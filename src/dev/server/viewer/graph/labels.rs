//! The numbers beside the arrows of the picture, where they cover nothing.

use std::collections::HashSet;

use crate::dev::server::viewer::graph::layout::{Arrow, HEIGHT, Place, WIDTH};

/// Moves labels that would cover each other or a service up or down. One without room is left out: its arrow tells the
/// numbers, too, and so does the table.
pub(super) fn keep_apart(places: &[Place], arrows: &mut [Arrow], height: f64) {
    let mut taken = HashSet::new();
    for place in places {
        taken.extend(cells(
            [place.x, place.x + WIDTH],
            [place.y, place.y + HEIGHT],
        ));
    }
    for arrow in arrows {
        let half = (arrow.text.chars().count() as f64 * LETTER + LETTER) / 2.0;
        let at = |y: f64| {
            let across = [arrow.x - half, arrow.x + half];
            cells(across, [y - ABOVE, y + BELOW])
        };
        let steps = (0..=MAX_STEPS).flat_map(|step| [step, -step]);
        let mut lines = steps.map(|step| arrow.y + f64::from(step) * LINE);
        let free = lines
            .find(|&y| (LINE..=height).contains(&y) && at(y).all(|cell| !taken.contains(&cell)));
        arrow.has_label = free.is_some();
        if let Some(y) = free {
            taken.extend(at(y));
            arrow.y = y;
        }
    }
}

/// Returns the cells of a grid that a rectangle touches.
fn cells(across: [f64; 2], down: [f64; 2]) -> impl Iterator<Item = (i64, i64)> {
    let [left, right] = across.map(|x| (x / CELL).floor() as i64);
    let [top, bottom] = down.map(|y| (y / CELL).floor() as i64);
    (left..=right).flat_map(move |x| (top..=bottom).map(move |y| (x, y)))
}

/// The width of a letter and the height of a line, about, and the room of a line above and below its base.
const LETTER: f64 = 6.6;
const LINE: f64 = 15.0;
const ABOVE: f64 = 10.0;
const BELOW: f64 = 3.0;
/// The lines up or down that a label may be moved.
const MAX_STEPS: i32 = 8;
const CELL: f64 = 5.0;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::dev::server::viewer::graph::layout::layout;

    /// Lays out services and labels each arrow. Returns the rectangles of services and labels.
    fn rectangles(services: usize, calls: &BTreeSet<(usize, usize)>) -> (Vec<[f64; 4]>, usize) {
        let names = (0..services).map(|n| format!("service {n}")).collect();
        let (places, mut arrows, _, height) = layout(names, calls);
        for arrow in &mut arrows {
            arrow.text = "1234 · 182.4ms".to_owned();
        }
        keep_apart(&places, &mut arrows, height);
        let boxes = places
            .iter()
            .map(|place| [place.x, place.x + WIDTH, place.y, place.y + HEIGHT]);
        let labels = arrows.iter().filter(|arrow| arrow.has_label).map(|arrow| {
            let half = 14.0 * LETTER / 2.0;
            let [left, right] = [arrow.x - half, arrow.x + half];
            [left, right, arrow.y - ABOVE, arrow.y + BELOW]
        });
        let all: Vec<_> = boxes.chain(labels).collect();
        let labelled = all.len() - services;
        (all, labelled)
    }

    #[test]
    fn labels_cover_neither_each_other_nor_a_service() {
        let chain = (1..4).map(|n| (n - 1, n)).collect();
        let star: BTreeSet<_> = (1..12).flat_map(|n| [(0, n), (n, 12)]).collect();
        let all = (0..40).flat_map(|a| (0..40).map(move |b| (a, b))).collect();
        for (services, calls, least) in [(4, &chain, 3), (13, &star, 20), (40, &all, 40)] {
            let (rectangles, labelled) = rectangles(services, calls);
            assert!(labelled >= least, "{labelled} of {}", calls.len());
            for (index, a) in rectangles.iter().enumerate() {
                for b in &rectangles[..index] {
                    let is_apart = a[1] <= b[0] || b[1] <= a[0] || a[3] <= b[2] || b[3] <= a[2];
                    assert!(is_apart, "{a:?} covers {b:?}");
                }
            }
        }
    }
}
