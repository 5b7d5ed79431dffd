//! The report: one JSON file for machines, one self-contained HTML file with plots for people.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::measure::Results;

/// Writes `NAME.json` and `NAME.html` into `folder`; returns where the HTML is.
pub fn write(folder: &Path, name: &str, results: &Results) -> Result<PathBuf> {
    fs::create_dir_all(folder)?;
    fs::write(
        folder.join(format!("{name}.json")),
        serde_json::to_vec_pretty(results)?,
    )?;
    let page = folder.join(format!("{name}.html"));
    fs::write(&page, html(results)?)?;
    Ok(page)
}

fn html(results: &Results) -> Result<String> {
    let mut page = String::new();
    let title = escape(&results.title);
    write!(
        page,
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
         <title>{title}</title><style>{STYLE}</style><h1>{title}</h1>"
    )?;
    page.push_str("<table><caption>Figures</caption>");
    for (name, value) in &results.figures {
        write!(page, "<tr><th scope=row>{}<td>{}", escape(name), number(*value))?;
    }
    for (name, count) in &results.errors {
        write!(page, "<tr class=error><th scope=row>{}<td>{count}", escape(name))?;
    }
    page.push_str("</table>");
    if !results.latencies.is_empty() {
        page.push_str(
            "<table><caption>Latency, ms, from the moment each was due</caption>\
             <tr><th><th>count<th>p50<th>p90<th>p99<th>p99.9<th>max",
        );
        for (name, summary) in &results.latencies {
            write!(page, "<tr><th scope=row>{}<td>{}", escape(name), summary.count)?;
            for value in [
                summary.p50_ms,
                summary.p90_ms,
                summary.p99_ms,
                summary.p999_ms,
                summary.max_ms,
            ] {
                write!(page, "<td>{}", number(value))?;
            }
        }
        page.push_str("</table>");
        let curves = results.latencies.iter().map(|(name, summary)| {
            let points = summary
                .curve
                .iter()
                .map(|(quantile, ms)| (-(1.0 - quantile).max(1e-6).log10(), *ms));
            (name.as_str(), points.collect())
        });
        page.push_str(&plot(
            "Latency by percentile (1 = 90 %, 2 = 99 %, 3 = 99.9 %)",
            "ms",
            curves.collect(),
        ));
    }
    for (name, points) in &results.curves {
        page.push_str(&plot(name, "", vec![(name.as_str(), points.clone())]));
    }
    Ok(page)
}

/// Named series of points.
type Series<'a> = Vec<(&'a str, Vec<(f64, f64)>)>;

/// A line plot as an inline SVG.
fn plot(title: &str, unit: &str, series: Series<'_>) -> String {
    const COLOURS: [&str; 6] = ["#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#0891b2"];
    let points = || series.iter().flat_map(|(_, points)| points);
    let x_max = points().map(|(x, _)| *x).fold(f64::MIN_POSITIVE, f64::max);
    let y_max = points().map(|(_, y)| *y).fold(f64::MIN_POSITIVE, f64::max) * 1.05;
    let mut svg = format!(
        "<figure><figcaption>{}</figcaption><svg viewBox='0 0 760 320' role=img>",
        escape(title)
    );
    for step in 0..=4 {
        let (share, y) = (f64::from(step) / 4.0, 280.0 - 65.0 * f64::from(step));
        let _ = write!(
            svg,
            "<line x1=70 x2=740 y1={y} y2={y} class=grid /><text x=62 y={} class=y>{} {unit}</text>\
             <text x={} y=300 class=x>{}</text>",
            y + 4.0,
            number(y_max * share),
            70.0 + 670.0 * share,
            number(x_max * share),
        );
    }
    for (index, (name, points)) in series.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let line: String = points
            .iter()
            .map(|(x, y)| {
                format!(
                    "{:.1},{:.1} ",
                    70.0 + 670.0 * x / x_max,
                    280.0 - 260.0 * y / y_max
                )
            })
            .collect();
        let _ = write!(
            svg,
            "<polyline points='{line}' fill=none stroke='{colour}' stroke-width=2 />\
             <text x=80 y={} fill='{colour}'>{}</text>",
            30 + 16 * index,
            escape(name)
        );
    }
    svg.push_str("</svg></figure>");
    svg
}

/// A figure with as many digits as it is worth.
pub fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 1_000.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('\'', "&#39;")
}

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:800px;margin:2rem auto;padding:0 1rem;color:#111}\
 table{border-collapse:collapse;margin:1.5rem 0;width:100%}caption{text-align:left;font-weight:600;padding:.3rem 0}\
 th,td{text-align:right;padding:.25rem .6rem;border-bottom:1px solid #ddd}th[scope=row]{text-align:left;font-weight:400}\
 .error td,.error th{color:#b91c1c}figure{margin:2rem 0}figcaption{font-weight:600}svg{width:100%}\
 .grid{stroke:#e5e7eb}text{font:12px system-ui}.y{text-anchor:end}.x{text-anchor:middle}";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Latencies;
    use std::time::Duration;

    #[test]
    fn a_report_shows_every_figure_and_escapes_names() {
        let mut latencies = Latencies::default();
        latencies.record(Duration::from_millis(5));
        let mut results = Results {
            title: "a <b>".to_owned(),
            ..Results::default()
        };
        results.figures.insert("bytes_per_agent".to_owned(), 2_560.0);
        results.latencies.insert("poll".to_owned(), latencies.summary());
        let page = html(&results).unwrap();
        assert!(page.contains("a &lt;b&gt;") && page.contains("2560") && page.contains("<polyline"));
    }
}
