use std::collections::HashSet;

use crate::reporter::{OwnedSpan, Planted, forest};
use crate::testkit::shape::difference::{Difference, DrawnSpan, Mark};
use crate::testkit::shape::matching::{fits_in_order, pairs};
use crate::testkit::shape::span_shape::SpanShape;

/// Compares the trees of spans with those of shapes.
pub(super) fn compare(roots: &[SpanShape], spans: &[OwnedSpan]) -> Result<(), Difference> {
    let mut shapes = Vec::new();
    let shape_roots = plant_all(roots, 0, &mut shapes);
    let planted = forest(spans);
    let (children, span_roots) = children_of(&planted);
    let mut comparison = Comparison {
        fits: vec![false; shapes.len() * planted.len()],
        shapes,
        spans: planted,
        children,
        lines: Vec::new(),
        marks: [Vec::new(), Vec::new()],
    };
    comparison.fit_all();
    let all = Below {
        is_ordered: false,
        is_open: false,
    };
    if comparison.children_fit(&shape_roots, &span_roots, all) {
        return Ok(());
    }
    comparison.marks = [
        vec![Mark::Right; comparison.shapes.len()],
        vec![Mark::Right; comparison.spans.len()],
    ];
    comparison.explain_children(&[], &shape_roots, &span_roots, all);
    Err(comparison.difference())
}

/// A shape and its place in its tree.
struct PlantedShape<'a> {
    shape: &'a SpanShape,
    depth: usize,
    children: Vec<usize>,
}

/// Lists shapes, each right before those below it. Returns the places of `shapes` themselves.
fn plant_all<'a>(
    shapes: &'a [SpanShape],
    depth: usize,
    planted: &mut Vec<PlantedShape<'a>>,
) -> Vec<usize> {
    let mut places = Vec::new();
    for shape in shapes {
        let place = planted.len();
        places.push(place);
        let children = Vec::new();
        planted.push(PlantedShape {
            shape,
            depth,
            children,
        });
        planted[place].children = plant_all(&shape.children, depth + 1, planted);
    }
    places
}

/// Returns the places of the spans right below each span, and those of the roots.
fn children_of(spans: &[Planted<'_>]) -> (Vec<Vec<usize>>, Vec<usize>) {
    let mut children = vec![Vec::new(); spans.len()];
    let (mut roots, mut above) = (Vec::new(), Vec::<usize>::new());
    for (place, span) in spans.iter().enumerate() {
        above.truncate(span.depth);
        match above.last() {
            Some(parent) => children[*parent].push(place),
            None => roots.push(place),
        }
        above.push(place);
    }
    (children, roots)
}

/// The demands on the spans below one.
#[derive(Clone, Copy)]
struct Below {
    is_ordered: bool,
    is_open: bool,
}

struct Comparison<'a> {
    shapes: Vec<PlantedShape<'a>>,
    spans: Vec<Planted<'a>>,
    /// The places of the spans right below each span.
    children: Vec<Vec<usize>>,
    /// For each shape and each span, whether they fit with all that is below them.
    fits: Vec<bool>,
    lines: Vec<String>,
    /// The marks of shapes and of spans.
    marks: [Vec<Mark>; 2],
}

impl Comparison<'_> {
    /// Fills `fits`, what is below first.
    fn fit_all(&mut self) {
        for shape in (0..self.shapes.len()).rev() {
            for span in (0..self.spans.len()).rev() {
                let (planted, found) = (&self.shapes[shape], self.spans[span].span);
                let fits = planted.shape.operation_name == found.operation_name
                    && planted.shape.differences(found).is_empty()
                    && self.children_fit(
                        &planted.children,
                        &self.children[span],
                        below(planted.shape),
                    );
                let place = shape * self.spans.len() + span;
                self.fits[place] = fits;
            }
        }
    }

    fn fits(&self, shape: usize, span: usize) -> bool {
        self.fits[shape * self.spans.len() + span]
    }

    fn children_fit(&self, shapes: &[usize], spans: &[usize], below: Below) -> bool {
        if shapes.len() > spans.len() || (!below.is_open && shapes.len() < spans.len()) {
            return false;
        }
        let fits = |shape: usize, span: usize| self.fits(shapes[shape], spans[span]);
        match below.is_ordered {
            true => fits_in_order(shapes.len(), spans.len(), fits),
            false => pairs(shapes.len(), spans.len(), fits)
                .iter()
                .all(Option::is_some),
        }
    }

    /// Says what differs between a shape and the span that is most likely meant by it.
    fn explain(&mut self, path: &[&str], shape: usize, span: usize) {
        let expected = self.shapes[shape].shape;
        let differences = expected.differences(self.spans[span].span);
        let path = [path, &[&expected.operation_name]].concat();
        if !differences.is_empty() {
            self.mark_both(shape, span);
        }
        for difference in differences {
            self.lines
                .push(format!("{}: {difference}", path.join(" > ")));
        }
        let shapes = self.shapes[shape].children.clone();
        let spans = self.children[span].clone();
        let is_in_order = self.explain_children(&path, &shapes, &spans, below(expected));
        if !is_in_order {
            self.mark_both(shape, span);
        }
    }

    /// Says what differs among the spans below one. Returns whether their order is right.
    fn explain_children(
        &mut self,
        path: &[&str],
        shapes: &[usize],
        spans: &[usize],
        below: Below,
    ) -> bool {
        let mut places = pairs(shapes.len(), spans.len(), |shape, span| {
            self.fits(shapes[shape], spans[span])
        });
        if below.is_ordered && places.iter().all(Option::is_some) {
            let fits = |shape: usize, span: usize| self.fits(shapes[shape], spans[span]);
            if !fits_in_order(shapes.len(), spans.len(), fits) {
                let line = "the spans below have started in another order";
                self.say(path, line);
                return false;
            }
        }
        let mut taken: HashSet<usize> = places.iter().flatten().copied().collect();
        for (at, place) in places.iter_mut().enumerate() {
            if place.is_some() {
                continue;
            }
            *place = self.nearest(shapes[at], spans, &taken);
            match *place {
                Some(near) => {
                    taken.insert(near);
                    self.explain(path, shapes[at], spans[near]);
                }
                None => {
                    let name = &self.shapes[shapes[at]].shape.operation_name;
                    let line = format!("no span `{name}`");
                    self.say(path, &line);
                    self.mark_missing(shapes[at]);
                }
            }
        }
        let others = (0..spans.len()).filter(|place| !taken.contains(place) && !below.is_open);
        for place in others {
            let name = &self.spans[spans[place]].span.operation_name;
            let line = format!("an unexpected span `{name}`");
            self.say(path, &line);
            self.mark_unexpected(spans[place]);
        }
        true
    }

    /// Returns the place of the span of this name that has the fewest differences.
    fn nearest(&self, shape: usize, spans: &[usize], taken: &HashSet<usize>) -> Option<usize> {
        let shape = self.shapes[shape].shape;
        let span = |place: usize| self.spans[spans[place]].span;
        (0..spans.len())
            .filter(|place| !taken.contains(place))
            .filter(|place| span(*place).operation_name == shape.operation_name)
            .min_by_key(|place| shape.differences(span(*place)).len())
    }

    fn say(&mut self, path: &[&str], line: &str) {
        self.lines.push(match path.is_empty() {
            true => line.to_owned(),
            false => format!("{}: {line}", path.join(" > ")),
        });
    }

    fn mark_both(&mut self, shape: usize, span: usize) {
        self.marks[0][shape] = Mark::Different;
        self.marks[1][span] = Mark::Different;
    }

    /// Marks a shape and those below it.
    fn mark_missing(&mut self, shape: usize) {
        let depth = self.shapes[shape].depth;
        let below = self.shapes[shape + 1..].iter();
        let count = below.take_while(|below| below.depth > depth).count();
        self.marks[0][shape..=shape + count].fill(Mark::Missing);
    }

    /// Marks a span and those below it.
    fn mark_unexpected(&mut self, span: usize) {
        let depth = self.spans[span].depth;
        let below = self.spans[span + 1..].iter();
        let count = below.take_while(|below| below.depth > depth).count();
        self.marks[1][span..=span + count].fill(Mark::Unexpected);
    }

    fn difference(self) -> Difference {
        let services: HashSet<_> = self
            .spans
            .iter()
            .map(|planted| planted.span.service_name())
            .collect();
        let [shape_marks, span_marks] = self.marks;
        let expected = self.shapes.iter().zip(shape_marks);
        let expected = expected.map(|(planted, mark)| DrawnSpan {
            mark,
            depth: planted.depth,
            text: planted.shape.to_string(),
        });
        let found = self.spans.iter().zip(span_marks);
        let found = found.map(|(planted, mark)| {
            let mut text = String::new();
            if services.len() > 1 {
                text += planted.span.service_name();
                text += ": ";
            }
            text += &planted.span.operation_name;
            if planted.span.is_error() {
                text += " !";
            }
            DrawnSpan {
                mark,
                depth: planted.depth,
                text,
            }
        });
        Difference {
            expected: expected.collect(),
            found: found.collect(),
            lines: self.lines,
        }
    }
}

fn below(shape: &SpanShape) -> Below {
    Below {
        is_ordered: shape.is_ordered,
        is_open: shape.is_open,
    }
}
