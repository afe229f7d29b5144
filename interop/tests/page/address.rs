//! The part of the address behind `#`: what a link to a place in a trace tells.

use tracehound::view::Trace;
use tracehound_interop::Browser;

use crate::{Result, assert_silent, traces, value, wait};

#[test]
fn the_search_is_kept_in_the_address_beside_the_span() -> Result {
    let Some(browser) = Browser::start_or_skip()? else {
        return Ok(());
    };
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("trace.html");
    let trace: Trace = traces::ordinary();
    trace.write_html(&path)?;
    let page = format!("file://{}", path.display());
    let id = trace.spans[2].span.span_id.to_string();
    let field = "document.querySelector('.find input').value";
    let matches = "return document.querySelectorAll('.row.match').length === 2";
    let hash = "location.hash";

    // A link leads to the matches and to the span.
    browser.go(&format!("{page}#find=redis&span={id}"))?;
    wait(&browser, matches)?;
    assert_eq!(value(&browser, field)?, "redis");
    wait(
        &browser,
        "return document.querySelectorAll('.detail').length === 1",
    )?;

    // What is typed stands in the address, and the span stays. The history has no step for each letter.
    let steps = value(&browser, "history.length")?;
    browser.press(&["Control+b", "s", "h", "o", "p"])?;
    assert_eq!(value(&browser, hash)?, format!("#find=shop&span={id}"));
    assert_eq!(value(&browser, "history.length")?, steps);
    browser.press(&["Escape"])?;
    assert_eq!(value(&browser, hash)?, format!("#span={id}"));

    // A link within the page to a span alone leaves the search as it is; one with a text replaces it.
    browser.press(&["Control+b", "r", "e", "d", "i", "s"])?;
    browser.run(
        "location.hash = 'span=' + arguments[0]",
        &[id.clone().into()],
    )?;
    wait(&browser, matches)?;
    assert_eq!(value(&browser, field)?, "redis");
    browser.run(
        "location.hash = 'find=' + encodeURIComponent('a&b=<i>c#d')",
        &[],
    )?;
    wait(&browser, &format!("return {field} === 'a&b=<i>c#d'"))?;

    // Texts of all kinds come back as they were.
    browser.go("about:blank")?;
    browser.go(&format!("{page}#find=%F0%9F%98%80+%3Cscript%3E%25%26%3D"))?;
    wait(
        &browser,
        &format!("return {field} === '\\u{{1f600}} <script>%&='"),
    )?;
    browser.go("about:blank")?;
    for broken in [
        "#find=%",
        "#find",
        "#span=&find=&find=x",
        "#%F0%9F",
        "#&&=&",
    ] {
        browser.go(&format!("{page}{broken}"))?;
        wait(
            &browser,
            "return document.querySelectorAll('.row').length === 9",
        )?;
    }
    assert_silent(&browser, "address")
}
