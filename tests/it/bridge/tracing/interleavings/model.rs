//! The plan, carried out with lists.

use super::{Action, Parent, Seen};

#[derive(Default)]
pub(super) struct Model {
    pub(super) spans: Vec<Span>,
    /// The spans that ended, in order, on each thread.
    pub(super) ended: [Vec<usize>; 2],
    /// Handles to spans of `tracing`.
    handles: Vec<usize>,
    own: Vec<usize>,
    threads: [Thread; 2],
}

#[derive(Default)]
pub(super) struct Span {
    pub(super) parent: Option<usize>,
    pub(super) logs: usize,
    pub(super) is_recorded: bool,
    pub(super) ended_on: Option<bool>,
    is_of_tracing: bool,
    has_started: bool,
    /// Handles, guards and, in the registry, children.
    owners: usize,
    /// The span that the registry keeps open for this one.
    registry_parent: Option<usize>,
}

#[derive(Default)]
struct Thread {
    /// The guards, each with the span that it keeps active.
    guards: Vec<Guard>,
    /// The active spans, the innermost last. `None` is a guard of a scope that was taken out.
    active: Vec<Entry>,
    /// The registry's own stack, on which a span that is entered again does not count.
    registry: Vec<(usize, bool)>,
    next_scope: usize,
}

#[derive(Clone, Copy)]
struct Guard {
    span: usize,
    /// The number of a scope; `None` for a span that was entered.
    scope: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry {
    span: usize,
    scope: Option<usize>,
}

impl Span {
    pub(super) fn parent_name(&self) -> Option<String> {
        self.parent.map(|parent| parent.to_string())
    }
}

impl Model {
    pub(super) fn act(&mut self, is_elsewhere: bool, action: &Action) -> Seen {
        let here = usize::from(is_elsewhere);
        match *action {
            Action::New(parent) => self.new_span(here, parent),
            Action::Enter(n) => {
                if let Some(span) = pick(&self.handles, n) {
                    self.spans[span].owners += 1;
                    let thread = &mut self.threads[here];
                    thread.guards.push(Guard { span, scope: None });
                    thread.active.push(Entry { span, scope: None });
                    let is_again = thread.registry.iter().any(|(other, _)| *other == span);
                    thread.registry.push((span, is_again));
                }
            }
            Action::Leave(n) => self.leave(here, n),
            Action::DropHandle(n) => {
                if !self.handles.is_empty() {
                    let span = self.handles.remove(n % self.handles.len());
                    self.release(here, span);
                }
            }
            Action::Start => {
                let parent = self.top(here);
                if let Some(parent) = parent {
                    self.start(parent);
                }
                self.own.push(self.spans.len());
                self.spans.push(Span {
                    parent,
                    has_started: true,
                    owners: 1,
                    ..Span::default()
                });
            }
            Action::Activate(n) => {
                if let Some(span) = pick(&self.own, n) {
                    self.spans[span].owners += 1;
                    let thread = &mut self.threads[here];
                    let scope = Some(thread.next_scope);
                    thread.next_scope += 1;
                    thread.guards.push(Guard { span, scope });
                    thread.active.push(Entry { span, scope });
                }
            }
            Action::DropSpan(n) => {
                if !self.own.is_empty() {
                    let span = self.own.remove(n % self.own.len());
                    self.release(here, span);
                }
            }
            Action::SetParent(n, parent) => {
                if let (Some(span), Some(parent)) =
                    (pick(&self.handles, n), pick(&self.own, parent))
                {
                    return self.set_parent(span, parent);
                }
            }
            Action::SetTracingParent(n, parent) => {
                if let (Some(span), Some(parent)) =
                    (pick(&self.handles, n), pick(&self.handles, parent))
                {
                    self.start(parent);
                    return self.set_parent(span, parent);
                }
            }
            Action::Event => {
                if let Some(span) = self.top(here) {
                    self.spans[span].logs += 1;
                }
            }
            Action::EventOf(n) => {
                if let Some(span) = pick(&self.handles, n) {
                    self.spans[span].logs += 1;
                }
            }
            Action::Look => {
                let top = self.top(here);
                if let Some(top) = top {
                    self.start(top);
                }
                return Seen::IsActive(top.is_some());
            }
            Action::Record(n) => {
                if let Some(span) = pick(&self.handles, n) {
                    self.spans[span].is_recorded = true;
                }
            }
        }
        Seen::Nothing
    }

    pub(super) fn has_guards(&self, is_elsewhere: bool) -> bool {
        !self.threads[usize::from(is_elsewhere)].guards.is_empty()
    }

    fn new_span(&mut self, here: usize, parent: Parent) {
        let registry = &self.threads[here].registry;
        let current = registry.iter().rev().find(|(_, is_again)| !is_again);
        let current = current.map(|(span, _)| *span);
        let (parent, registry_parent) = match parent {
            Parent::Root => (None, None),
            Parent::Of(n) if !self.handles.is_empty() => {
                let parent = pick(&self.handles, n);
                (parent, parent)
            }
            _ => (self.top(here), current),
        };
        if let Some(parent) = registry_parent {
            self.spans[parent].owners += 1;
        }
        self.handles.push(self.spans.len());
        self.spans.push(Span {
            parent,
            is_of_tracing: true,
            owners: 1,
            registry_parent,
            ..Span::default()
        });
    }

    fn leave(&mut self, here: usize, n: usize) {
        let thread = &mut self.threads[here];
        if thread.guards.is_empty() {
            return;
        }
        let Guard { span, scope } = thread.guards.remove(n % thread.guards.len());
        // The entries of one span are alike: the innermost goes.
        let entry = Entry { span, scope };
        if let Some(at) = thread.active.iter().rposition(|other| *other == entry) {
            thread.active.remove(at);
        }
        if scope.is_none()
            && let Some(at) = thread
                .registry
                .iter()
                .rposition(|(other, _)| *other == span)
        {
            thread.registry.remove(at);
        }
        self.release(here, span);
    }

    fn top(&self, here: usize) -> Option<usize> {
        self.threads[here].active.last().map(|entry| entry.span)
    }

    /// Starts a span of `tracing`, and those above it before.
    fn start(&mut self, span: usize) {
        if !std::mem::replace(&mut self.spans[span].has_started, true)
            && let Some(parent) = self.spans[span].parent
        {
            self.start(parent);
        }
    }

    fn set_parent(&mut self, span: usize, parent: usize) -> Seen {
        let can_be = !self.spans[span].has_started;
        if can_be {
            self.spans[span].parent = Some(parent);
        }
        Seen::IsSet(can_be)
    }

    /// Drops an owner. The last one ends the span, and in the registry lets go of the parent.
    fn release(&mut self, here: usize, span: usize) {
        self.spans[span].owners -= 1;
        if self.spans[span].owners > 0 {
            return;
        }
        if self.spans[span].is_of_tracing {
            self.start(span);
        }
        self.spans[span].ended_on = Some(here == 1);
        self.ended[here].push(span);
        if let Some(parent) = self.spans[span].registry_parent {
            self.release(here, parent);
        }
    }
}

fn pick(list: &[usize], n: usize) -> Option<usize> {
    (!list.is_empty()).then(|| list[n % list.len()])
}
