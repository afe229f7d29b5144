//! The views of the embedded agent's server.

use std::time::Duration;

use tracehound::{
    dev::{DevOptions, DevServer, Waterfall},
    prelude::*,
};
use tracehound_interop::Browser;

use crate::{
    Result, accessibility::assert_accessible, assert_silent, traces::HOSTILE, value, wait,
};

const PATIENCE: Duration = Duration::from_secs(20);

fn start() -> Result<DevServer> {
    Ok(DevServer::start(
        DevOptions::new().any_ports().waterfall(Waterfall::Never),
    )?)
}

/// Makes a trace of two services, and returns its id.
fn order(server: &DevServer, name: &'static str, fails: bool) -> Result<String> {
    let (shop, pay) = (server.tracer("shop")?, server.tracer("pay")?);
    let root = shop.start_span(name);
    let charge = pay.build_span("charge").child_of(&root).start();
    if fails {
        charge.set_tag("error", true);
    }
    charge.finish();
    let id = root.context().trace_id().ok_or("no id")?.to_string();
    root.finish();
    shop.flush(PATIENCE);
    pay.flush(PATIENCE);
    Ok(id)
}

#[test]
fn every_view_shows_what_has_come_and_can_be_read() -> Result {
    let Some(browser) = Browser::start_or_skip()? else {
        return Ok(());
    };
    let server = start()?;
    let (a, b) = (
        order(&server, "checkout", false)?,
        order(&server, "checkout", true)?,
    );
    let tracer = server.tracer("shop")?;
    let _open = tracer.start_span("waits");
    let views = [
        (
            "/".to_owned(),
            "document.querySelectorAll('.cards > li').length === 2",
        ),
        (
            "/graph".to_owned(),
            "document.querySelectorAll('.graph .arrow').length === 1",
        ),
        (
            format!("/compare?a={a}&b={b}"),
            "document.querySelectorAll('.comparison tbody tr').length === 2",
        ),
        (
            "/open-spans".to_owned(),
            "document.querySelectorAll('tbody tr').length === 1",
        ),
        ("/live".to_owned(), "!!document.querySelector('.live')"),
        (
            format!("/trace/{a}"),
            "document.querySelectorAll('.row').length === 2",
        ),
    ];
    for (width, is_dark) in [(1_200, false), (1_200, true), (400, false), (400, true)] {
        browser.look(width, 900, is_dark)?;
        for (path, shows) in &views {
            browser.go(&format!("http://{}{path}", server.query_address()))?;
            wait(&browser, &format!("return {shows}"))?;
            let overflow = value(
                &browser,
                "document.documentElement.scrollWidth - innerWidth",
            )?;
            assert!(
                overflow.as_i64() <= Some(0),
                "{path} at {width}: {overflow} too wide"
            );
            assert_accessible(&browser, &format!("{path}, {width}, dark: {is_dark}"))?;
            assert_silent(&browser, path)?;
        }
    }
    Ok(())
}

#[test]
fn a_search_leads_to_a_trace_and_two_traces_to_their_comparison() -> Result {
    let Some(browser) = Browser::start_or_skip()? else {
        return Ok(());
    };
    let server = start()?;
    order(&server, "checkout", false)?;
    let failed = order(&server, "refund", true)?;
    browser.go(&format!("http://{}/", server.query_address()))?;
    browser.run(
        "const form = document.querySelector('form.search');
         form.elements.errors.checked = true;
         form.elements.service.value = 'pay';
         form.requestSubmit()",
        &[],
    )?;
    wait(
        &browser,
        "return document.querySelectorAll('.cards > li').length === 1",
    )?;
    browser.run("document.querySelector('.cards a').click()", &[])?;
    wait(
        &browser,
        "return document.querySelectorAll('.row').length === 2",
    )?;
    assert_eq!(
        value(&browser, "location.pathname")?,
        format!("/trace/{failed}")
    );

    browser.go(&format!("http://{}/", server.query_address()))?;
    browser.run(
        "document.querySelectorAll('input[name=a]')[0].click();
         document.querySelectorAll('input[name=b]')[1].click();
         document.querySelector('form[action=\"/compare\"]').requestSubmit()",
        &[],
    )?;
    wait(
        &browser,
        "return document.querySelectorAll('.comparison tbody tr').length === 4",
    )?;
    assert_silent(&browser, "search")
}

#[test]
fn the_live_view_shows_traces_as_they_come() -> Result {
    let Some(browser) = Browser::start_or_skip()? else {
        return Ok(());
    };
    let server = start()?;
    order(&server, "before", false)?;
    browser.go(&format!(
        "http://{}/live?service=pay",
        server.query_address()
    ))?;
    wait(
        &browser,
        "return document.querySelector('[role=status]').textContent === '0 traces'",
    )?;
    order(&server, "checkout", true)?;
    wait(
        &browser,
        "return document.querySelector('.live tbody').innerText.includes('checkout')",
    )?;
    browser.run("document.querySelector('[aria-pressed]').click()", &[])?;
    order(&server, "refund", false)?;
    wait(
        &browser,
        "return document.querySelector('[role=status]').textContent.endsWith('waiting')",
    )?;
    assert_eq!(
        value(
            &browser,
            "document.querySelectorAll('.live tbody tr').length"
        )?,
        1
    );
    browser.run("document.querySelector('[aria-pressed]').click()", &[])?;
    wait(
        &browser,
        "return document.querySelector('.live tbody tr').innerText.includes('refund')",
    )?;
    assert_silent(&browser, "live")
}

#[test]
fn nothing_of_hostile_names_runs_in_any_view() -> Result {
    let Some(browser) = Browser::start_or_skip()? else {
        return Ok(());
    };
    let server = start()?;
    let mut ids = Vec::new();
    let mut open = Vec::new();
    browser.go(&format!("http://{}/live", server.query_address()))?;
    for text in HOSTILE {
        let (tracer, below) = (
            server.tracer(format!("x{text}"))?,
            server.tracer(format!("y{text}"))?,
        );
        let root = tracer.start_span(text);
        below
            .build_span(text)
            .child_of(&root)
            .tag(text, text)
            .start()
            .finish();
        ids.push(root.context().trace_id().ok_or("no id")?.to_string());
        root.finish();
        let waits = tracer.start_span(text);
        tracer.flush(PATIENCE);
        below.flush(PATIENCE);
        open.push((waits, tracer));
    }
    let is_unhurt = |what: &str| -> Result {
        assert_eq!(value(&browser, "window.hit === undefined")?, true, "{what}");
        let strange =
            "document.querySelectorAll('body script:not([type]), img, iframe, object').length";
        assert_eq!(value(&browser, strange)?, 1, "{what}");
        assert_silent(&browser, what)
    };
    wait(
        &browser,
        "return document.querySelectorAll('.live tbody tr').length > 5",
    )?;
    is_unhurt("/live")?;
    let compared = format!("/compare?a={}&b={}", ids[0], ids[1]);
    for path in ["/", "/graph", "/open-spans", &compared] {
        browser.go(&format!("http://{}{path}", server.query_address()))?;
        is_unhurt(path)?;
    }
    for id in ids {
        browser.go(&format!("http://{}/trace/{id}", server.query_address()))?;
        wait(
            &browser,
            "return document.querySelectorAll('.row').length === 2",
        )?;
        browser.run(
            "document.querySelectorAll('.row').forEach(row => row.click())",
            &[],
        )?;
        wait(
            &browser,
            "return document.querySelectorAll('.detail').length === 2",
        )?;
        is_unhurt(&id)?;
    }
    Ok(())
}
