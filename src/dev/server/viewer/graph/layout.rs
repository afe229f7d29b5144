//! The places of services in the picture: callers to the left of those they call.

use std::collections::BTreeSet;

use crate::dev::server::viewer::graph::numbers::Numbers;
use crate::dev::server::viewer::picture::color;

/// A service in the picture.
pub(super) struct Place {
    pub(super) name: String,
    /// The name as long as it fits.
    pub(super) label: String,
    pub(super) color: String,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) text: String,
    pub(super) has_errors: bool,
}

/// Calls in the picture.
pub(super) struct Arrow {
    pub(super) from: String,
    pub(super) to: String,
    /// The way as SVG writes it.
    pub(super) path: String,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) text: String,
    /// Whether the text has room beside the arrow.
    pub(super) has_label: bool,
    pub(super) has_errors: bool,
}

impl Place {
    pub(super) fn set_numbers(&mut self, numbers: &Numbers) {
        self.text = format!("{}, {}", numbers.rate, numbers.median);
        self.has_errors = numbers.errors > 0;
    }
}

impl Arrow {
    pub(super) fn set_numbers(&mut self, numbers: &Numbers) {
        self.text = match numbers.errors {
            0 => format!("{} · {}", numbers.count, numbers.median),
            errors => format!("{} · {} · {errors} !", numbers.count, numbers.median),
        };
        self.has_errors = numbers.errors > 0;
    }
}

/// Lays out services, whose calls are pairs of their places, and returns the size of the picture.
pub(super) fn layout(
    names: Vec<String>,
    calls: &BTreeSet<(usize, usize)>,
) -> (Vec<Place>, Vec<Arrow>, f64, f64) {
    let shown = names.len().min(MAX_PLACES);
    let calls: Vec<(usize, usize)> = calls
        .iter()
        .copied()
        .filter(|&(a, b)| a < shown && b < shown)
        .collect();
    let columns = columns(shown, &calls);
    let mut heights = vec![0; columns.iter().max().map_or(0, |most| most + 1)];
    let places: Vec<Place> = names
        .into_iter()
        .take(shown)
        .enumerate()
        .map(|(index, name)| {
            let column = columns[index];
            let row = heights[column];
            heights[column] += 1;
            let cut = name.chars().count() > MAX_LABEL;
            let label: String = name.chars().take(MAX_LABEL - usize::from(cut)).collect();
            Place {
                label: if cut { label + "…" } else { label },
                color: color(index),
                x: 10.0 + column as f64 * (WIDTH + GAP),
                y: 14.0 + row as f64 * (HEIGHT + 34.0) + (column % 2) as f64 * 20.0,
                name,
                text: String::new(),
                has_errors: false,
            }
        })
        .collect();
    let arrows = calls
        .iter()
        .map(|&(from, to)| arrow(&places[from], &places[to]))
        .collect();
    let width = places
        .iter()
        .map(|place| place.x + WIDTH + 60.0)
        .fold(0.0, f64::max);
    let height = places
        .iter()
        .map(|place| place.y + HEIGHT + 40.0)
        .fold(0.0, f64::max);
    (places, arrows, width, height)
}

/// Returns the column of each service: one more than that of its callers, where calls do not go in a circle.
fn columns(count: usize, calls: &[(usize, usize)]) -> Vec<usize> {
    let mut callees = vec![Vec::new(); count];
    let mut is_called = vec![false; count];
    for &(from, to) in calls {
        callees[from].push(to);
        is_called[to] = true;
    }
    let mut columns = vec![0; count];
    let mut state = vec![State::Unseen; count];
    let mut order = Vec::with_capacity(count);
    // Services that nobody calls first: a circle is cut where it is entered.
    let roots = (0..count)
        .filter(|&index| !is_called[index])
        .chain(0..count);
    for root in roots {
        let mut waiting = vec![(root, 0)];
        while let Some((at, next)) = waiting.pop() {
            if next == 0 {
                if state[at] != State::Unseen {
                    continue;
                }
                state[at] = State::Entered;
            }
            match callees[at].get(next) {
                Some(&callee) => {
                    waiting.push((at, next + 1));
                    if state[callee] == State::Unseen {
                        waiting.push((callee, 0));
                    }
                }
                None => {
                    state[at] = State::Left;
                    order.push(at);
                }
            }
        }
    }
    // In this order each service comes before those it calls, but for the calls that close a circle.
    let mut place = vec![0; count];
    order
        .iter()
        .rev()
        .enumerate()
        .for_each(|(at, &index)| place[index] = at);
    for &at in order.iter().rev() {
        for &callee in &callees[at] {
            if place[callee] > place[at] {
                columns[callee] = columns[callee].max(columns[at] + 1);
            }
        }
    }
    columns
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Unseen,
    Entered,
    Left,
}

fn arrow(from: &Place, to: &Place) -> Arrow {
    let (start, end) = if from.x < to.x {
        (
            (from.x + WIDTH, from.y + HEIGHT / 2.0),
            (to.x, to.y + HEIGHT / 2.0),
        )
    } else {
        // Back, or in one column: below both.
        (
            (from.x + WIDTH / 2.0, from.y + HEIGHT),
            (to.x + WIDTH / 2.0, to.y + HEIGHT),
        )
    };
    let (path, middle) = if from.x < to.x {
        let bend = (end.0 - start.0) / 2.0;
        let path = format!(
            "M{} {}C{} {} {} {} {} {}",
            start.0,
            start.1,
            start.0 + bend,
            start.1,
            end.0 - bend,
            end.1,
            end.0,
            end.1
        );
        // Each label at its own end: arrows from one service do not meet there.
        (
            path,
            (
                start.0 + 0.62 * (end.0 - start.0),
                start.1 + 0.72 * (end.1 - start.1) - 5.0,
            ),
        )
    } else {
        let low = start.1.max(end.1) + 30.0;
        let path = format!(
            "M{} {}C{} {low} {} {low} {} {}",
            start.0, start.1, start.0, end.0, end.0, end.1
        );
        (path, ((start.0 + end.0) / 2.0, low))
    };
    Arrow {
        from: from.name.clone(),
        to: to.name.clone(),
        path,
        x: middle.0,
        y: middle.1,
        text: String::new(),
        has_label: true,
        has_errors: false,
    }
}

/// The most services that the picture shows. The tables show more.
pub(super) const MAX_PLACES: usize = 60;
const MAX_LABEL: usize = 20;
/// The size of a service in the picture, and the room between two columns.
pub(super) const WIDTH: f64 = 160.0;
pub(super) const HEIGHT: f64 = 44.0;
const GAP: f64 = 150.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_stand_to_the_left_even_where_calls_go_in_a_circle() {
        assert_eq!(columns(4, &[(0, 1), (1, 2), (0, 2), (2, 3)]), [0, 1, 2, 3]);
        assert_eq!(columns(3, &[(0, 1), (1, 2), (2, 1)]), [0, 1, 2]);
        assert_eq!(columns(2, &[(0, 1), (1, 0)]), [0, 1]);
        assert_eq!(columns(1, &[(0, 0)]), [0]);
        assert_eq!(columns(3, &[(2, 0), (2, 1)]), [1, 1, 0]);
    }

    #[test]
    fn a_picture_is_bounded_and_long_names_are_cut() {
        let names: Vec<String> = (0..500).map(|n| format!("{n:0>30}")).collect();
        let calls = (1..500).map(|n| (0, n)).collect();
        let (places, arrows, ..) = layout(names, &calls);
        assert_eq!((places.len(), arrows.len()), (MAX_PLACES, MAX_PLACES - 1));
        assert!(
            places
                .iter()
                .all(|place| place.label.chars().count() <= MAX_LABEL)
        );
    }
}
