use serde_json::json;

use super::{
    Finding,
    crates::check_metadata,
    files::{File, check_length, check_paths},
    imports::{self, check_aya, imports},
    layers::Layer,
    manifest::check_reasons,
    source::code_only,
};

const LAYERS: &[Layer] = &[("low", &[]), ("high", &["low"]), ("main", &["high"])];

fn file(path: &str, text: &str) -> File {
    File { path: path.to_owned(), text: text.to_owned() }
}

fn imported(source: &str, depth: usize) -> Vec<String> {
    imports(source, depth, "my_crate").into_iter().map(|(name, _)| name).collect()
}

fn places(findings: &[Finding]) -> Vec<(&str, usize)> {
    findings.iter().map(|finding| (finding.file.as_str(), finding.line)).collect()
}

#[test]
fn comments_and_literals_are_no_code() {
    let source = "a /* crate::x\n */ b // crate::y\n\"crate::z \\\" \" c '\"' d r#\"\"e\"# 'f g";
    let code = code_only(source);
    assert_eq!(code.split_whitespace().collect::<Vec<_>>(), ["a", "b", "c", "d", "'f", "g"]);
    assert_eq!(code.lines().count(), source.lines().count());
}

#[test]
fn every_form_of_path_is_an_import() {
    assert_eq!(imported("use crate::low::Thing;", 1), ["low"]);
    assert_eq!(imported("use crate::{\n low::{a, b::c},\n high,\n};", 1), ["low", "high"]);
    assert_eq!(imported("fn f() -> crate::low::T { my_crate::high::g() }", 1), ["low", "high"]);
    assert_eq!(imported("use other::crate_x::low; // crate::low", 1), Vec::<String>::new());
}

#[test]
fn super_counts_only_as_far_as_the_root() {
    assert_eq!(imported("use super::low::T;", 1), ["low"]);
    assert_eq!(imported("use super::sibling::T;", 2), Vec::<String>::new());
    assert_eq!(imported("use super::super::{low::T, high};", 2), ["low", "high"]);
}

#[test]
fn an_import_against_the_arrows_is_an_error_with_its_line() {
    let files = [
        file("it/src/lib.rs", "pub mod low; pub mod high; pub use high::X;"),
        file("it/src/low.rs", "use std::fmt;\n\nuse crate::high::X;"),
        file("it/src/high/inner.rs", "use crate::low; use super::Z; use crate::high::Y;"),
        file("it/src/high.rs", "use crate::low::A;"),
        file("it/src/main.rs", "fn main() { it::low::f(); it::high::g(); it::Other }"),
        file("it/src/low/tests.rs", "use crate::high::X;"),
    ];
    let findings = imports::check("it", LAYERS, &files);
    assert_eq!(places(&findings), [("it/src/low.rs", 3), ("it/src/main.rs", 1)]);
    assert!(findings[0].text.contains("`low` must not import `high`"));
}

#[test]
fn a_module_without_a_row_is_an_error_that_says_so() {
    let findings = imports::check("it", LAYERS, &[file("it/src/fresh.rs", "")]);
    assert_eq!(places(&findings), [("it/src/fresh.rs", 1)]);
    assert!(findings[0].text.contains("no row"));
}

#[test]
fn aya_is_for_the_data_plane() {
    let uses = "use aya::Ebpf;\n// aya::x\nfn f(e: aya_log::Y) {}";
    let places_of = |path| check_aya(&file(path, uses)).iter().map(|f| f.line).collect::<Vec<_>>();
    assert_eq!(places_of("lb-userspace/src/app.rs"), [1, 3]);
    assert_eq!(places_of("lb-userspace/src/dataplane.rs"), Vec::<usize>::new());
    assert_eq!(places_of("lb-userspace/src/dataplane/maps.rs"), Vec::<usize>::new());
    assert_eq!(places_of("lb-common/src/abi.rs"), Vec::<usize>::new());
}

#[test]
fn crates_depend_one_way() {
    let package = |name: &str, on: &str, kind: Option<&str>| {
        let other = json!({ "name": "anyhow", "kind": null });
        json!({ "name": name, "dependencies": [{ "name": on, "kind": kind }, other] })
    };
    let metadata = json!({ "packages": [
        package("lb-common", "lb-userspace", None),
        package("lb-userspace", "lb-common", None),
        package("tests", "lb-userspace", Some("dev")),
        package("xtask", "lb-userspace", None),
        package("stray", "lb-common", None),
    ]});
    let manifest = file("xtask/Cargo.toml", "[dependencies]\nlb-userspace = 1");
    let findings = check_metadata(&metadata, &[manifest]);
    let expected = [("lb-common/Cargo.toml", 1), ("xtask/Cargo.toml", 2), ("stray/Cargo.toml", 1)];
    assert_eq!(places(&findings), expected);
}

#[test]
fn every_dependency_has_a_reason() {
    let manifest = "[workspace]\nresolver = \"3\"\n[workspace.dependencies]\n\
                    ours = { path = \"ours\" }\ngood = \"1\" # why it is here\nbad = \"1\"\n\
                    empty = \"1#2\" #\nlong = { version = \"1\", features = [\n  \"x\",\n] } # reason\n\
                    [workspace.lints]\nx = \"warn\"";
    assert_eq!(
        places(&check_reasons(&file("Cargo.toml", manifest))),
        [("Cargo.toml", 6), ("Cargo.toml", 7)]
    );
}

#[test]
fn length_warns_first_and_fails_later() {
    let of = |lines: usize| check_length(&file("x.rs", &"line\n".repeat(lines)));
    assert_eq!(of(400), None);
    assert!(of(401).is_some_and(|finding| finding.warning));
    assert!(of(501).is_some_and(|finding| !finding.warning));
    assert_eq!(check_length(&file("x.md", &"line\n".repeat(900))), None);
}

#[test]
fn paths_of_one_machine_are_found() {
    let bad = concat!("cd /wo", "rk/main\nPATH=x:/ro", "ot/.cargo\nok\n(/ho", "me/me)");
    let findings = check_paths(&file("notes.md", bad));
    assert_eq!(places(&findings), [("notes.md", 1), ("notes.md", 2), ("notes.md", 4)]);
    let good = concat!("https://example.org/wo", "rk/ and src/wo", "rk/x and $X/ro", "ot/");
    assert_eq!(check_paths(&file("notes.md", good)), []);
}
