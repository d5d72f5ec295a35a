//! `tandem validate`: what it says of bootstraps that are wrong, to people and to scripts.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tandem_harness::Kind;

/// Bootstraps that begin with what is wrong with them: a line `#! path: reason` for each.
fn bad() -> Vec<PathBuf> {
    let folder = tandem_harness::proxy::workspace().join("xds/translate/tests/bad");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

fn validate(file: &Path) -> Output {
    Command::new(Kind::Tandem.binary())
        .args(["validate", "-c"])
        .arg(file.file_name().unwrap())
        .current_dir(file.parent().unwrap())
        .output()
        .unwrap()
}

/// The problem without its place, if the place is within the file.
fn without_place<'a>(line: &'a str, name: &str, lines: usize) -> Option<&'a str> {
    let (problem, place) = line.strip_suffix(')')?.rsplit_once(" (")?;
    let place = place.strip_prefix(name)?.strip_prefix(':')?;
    let (row, column) = place.split_once(':')?;
    let (row, column): (usize, usize) = (row.parse().ok()?, column.parse().ok()?);
    ((1..=lines).contains(&row) && column > 0).then_some(problem)
}

/// A line for each problem with its place, all on standard error, and the exit status 1.
#[test]
fn every_problem_has_a_line() {
    let mut wrong = Vec::new();
    for file in bad() {
        let text = std::fs::read_to_string(&file).unwrap();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let expected: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("#! "))
            .collect();
        let output = validate(&file);
        let said = String::from_utf8(output.stderr).unwrap();
        let mut found = said.lines();
        let first = found.next();
        let problems: Option<Vec<_>> = found
            .map(|line| without_place(line, &name, text.lines().count()))
            .collect();
        if output.status.code() != Some(1)
            || !output.stdout.is_empty()
            || first != Some("tandem: the configuration is refused:")
            || problems.as_deref() != Some(&expected)
        {
            wrong.push(format!("{name}: {}\n{said}", output.status));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Who asks only whether it is good needs no more than the exit status.
#[test]
fn a_good_one_is_told_so() {
    let folder = tandem_harness::proxy::workspace().join("xds/translate/tests/good");
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let output = validate(&file);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{}: {said}", file.display());
        assert_eq!(output.stdout, b"configuration OK\n", "{}", file.display());
        assert!(said.is_empty(), "{}: {said}", file.display());
    }
}

/// A file that cannot be read is a line too, and says which.
#[test]
fn a_file_that_is_not_there_is_named() {
    let output = validate(Path::new("/tmp/no-such-bootstrap.yaml"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("no-such-bootstrap.yaml"), "{said}");
}

/// A folder, a pipe that nobody writes to, and what never ends are refused by name.
#[test]
fn what_is_no_file_is_refused() {
    let folder = tempfile::TempDir::new().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let what = [
        (Path::new("/dev/zero"), "expected at most 256 MiB"),
        (&pipe, "expected a file, it is a pipe"),
        (folder.path(), "Is a directory"),
    ];
    for (path, reason) in what {
        for command in [&["validate"][..], &["explain", "http://a/"]] {
            let mut tandem = Command::new(Kind::Tandem.binary());
            let output = tandem.args(command).arg("-c").arg(path).output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(!output.status.success());
            let expected = format!("tandem: cannot read '{}': {reason}", path.display());
            assert!(said.starts_with(&expected), "{said}");
        }
    }
}

/// Who gets configuration from elsewhere has to say who it is; Envoy refuses the same.
#[test]
fn nobody_asks_without_a_name() {
    const CASES: &[(&str, bool)] = &[
        ("{}", true),
        ("{node: {id: a, cluster: b}, ADS}", true),
        ("{ADS}", false),
        ("{node: {id: a}, ADS}", false),
        ("{node: {cluster: b}, ADS}", false),
        ("{FILES}", false),
        ("{node: {id: a, cluster: b}, FILES}", true),
        ("{EDS}", false),
    ];
    const ADS: &str = "static_resources: {clusters: [{name: plane}]}, dynamic_resources: {ads_config: {api_type: GRPC, transport_api_version: V3, grpc_services: [{envoy_grpc: {cluster_name: plane}}]}}";
    const FILES: &str = "dynamic_resources: {cds_config: {resource_api_version: V3, path_config_source: {path: /dev/null}}}";
    const EDS: &str = "static_resources: {clusters: [{name: c, type: EDS, eds_cluster_config: {eds_config: {resource_api_version: V3, path_config_source: {path: /dev/null}}}}]}";
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("bootstrap.yaml");
    for (case, good) in CASES {
        let text = case
            .replace("ADS", ADS)
            .replace("FILES", FILES)
            .replace("EDS", EDS);
        std::fs::write(&file, text).unwrap();
        let envoy = Kind::Envoy.validate_command(&file).output().unwrap();
        let tandem = Kind::Tandem.validate_command(&file).output().unwrap();
        let said = String::from_utf8_lossy(&tandem.stderr);
        assert_eq!(envoy.status.success(), *good, "{case}: Envoy");
        assert_eq!(tandem.status.success(), *good, "{case}: {said}");
        assert!(
            *good || said.contains("node: expected id and cluster"),
            "{case}: {said}"
        );
    }
}
