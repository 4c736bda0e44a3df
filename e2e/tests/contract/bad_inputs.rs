//! The table of bad inputs, `bad_inputs.txt`: each line a request, the status it gets and the places
//! that are wrong, all of them and no other.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;
use sessionstore_e2e::{client::Api, problem::Problem, sample, session::Session};

const TABLE: &str = include_str!("bad_inputs.txt");

/// A line of the table: `METHOD PATH <Header: value>… BODY => STATUS PLACE…`.
struct Case<'a> {
    line: &'a str,
    method: Method,
    path: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    body: &'a str,
    status: u16,
    places: BTreeSet<&'a str>,
}

impl<'a> Case<'a> {
    fn parse(line: &'a str) -> Self {
        let (request, outcome) = line.rsplit_once(" => ").expect("a case has an outcome");
        let mut outcome = outcome.split(' ');
        let status = outcome
            .next()
            .unwrap()
            .parse()
            .expect("an outcome begins with its status");
        let (method, rest) = request.split_once(' ').expect("a request has a method");
        let (path, mut rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let mut headers = Vec::new();
        while let Some((header, after)) = rest.strip_prefix('<').and_then(|r| r.split_once('>')) {
            headers.push(header.split_once(": ").expect("a header has a value"));
            rest = after.trim_start();
        }
        let method = method.parse().unwrap();
        Self {
            line,
            method,
            path,
            headers,
            body: rest,
            status,
            places: outcome.collect(),
        }
    }
}

/// What the table's names stand for.
struct Names {
    session: Session,
    closed: Session,
    erased: Session,
    unknown: Session,
}

impl Names {
    async fn prepare(api: &Api) -> Self {
        let [session, closed, erased] = [
            api.new_session().await,
            api.new_session().await,
            api.new_session().await,
        ];
        session.fill(1).await;
        closed.fill(1).await;
        closed.complete().await.expect(200);
        erased.delete().await.expect(204);
        Self {
            session,
            closed,
            erased,
            unknown: api.session(sample::fresh("unknown")),
        }
    }

    fn resolve(&self, text: &str) -> String {
        text.replace("$SESSION", &self.session.id)
            .replace("$CLOSED", &self.closed.id)
            .replace("$ERASED", &self.erased.id)
            .replace("$UNKNOWN", &self.unknown.id)
            .replace("$NEW", &sample::fresh("new"))
            .replace("$LONG", &"x".repeat(257))
    }
}

/// Why this case failed, if it did.
async fn failure(api: &Api, names: &Names, case: &Case<'_>) -> Option<String> {
    let mut request = api.request(case.method.clone(), &names.resolve(case.path));
    if !case.body.is_empty() {
        request = request.body(names.resolve(case.body));
        if !case
            .headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        {
            request = request.header("content-type", "application/json");
        }
    }
    for (name, value) in &case.headers {
        request = request.header(*name, *value);
    }
    let reply = api.send(request).await;

    // The one item of a batch is refused in place of the whole.
    let problem = match (reply.status, case.path.contains("events:batch")) {
        (200, true) if reply.at("/results/0/status") == json!(case.status) => {
            Problem::of_item(&reply.at("/results/0"), case.status.into())
        }
        (status, _) if status == case.status => Problem::of(&reply),
        _ => {
            return Some(format!(
                "{}\n    got {} {}",
                case.line, reply.status, reply.text
            ));
        }
    };
    // `/payload*` stands for a place at or below `/payload`.
    let expected = |place: &String| {
        case.places
            .iter()
            .any(|known| match known.strip_suffix('*') {
                Some(prefix) => place.starts_with(prefix),
                None => place == known,
            })
    };
    let as_expected = case.places.is_empty()
        || (problem.places.len() == case.places.len() && problem.places.iter().all(expected));
    (!as_expected).then(|| format!("{}\n    names {:?}", case.line, problem.places))
}

#[tokio::test]
async fn every_bad_input_is_refused_as_the_table_says() {
    let api = Api::shared().await;
    let names = Names::prepare(&api).await;
    let lines = TABLE.lines().map(str::trim);
    let cases: Vec<_> = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(Case::parse)
        .collect();
    assert!(cases.len() >= 200, "only {} cases", cases.len());

    let mut failures = Vec::new();
    for case in &cases {
        failures.extend(failure(&api, &names, case).await);
    }

    assert!(
        failures.is_empty(),
        "{} of {}:\n{}",
        failures.len(),
        cases.len(),
        failures.join("\n")
    );
    assert_eq!(
        names.session.log().await.len(),
        1,
        "a refused request stored something"
    );
    assert_eq!(names.session.current().await["status"], "active");
    assert_eq!(names.closed.log().await.len(), 1);
    names.unknown.get(&[]).await.problem(404);
}
