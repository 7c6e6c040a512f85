//! Import cycles between files: strongly connected components of the graph of imports.

use std::collections::BTreeMap;

use super::Findings;
use super::imports::Imports;

/// How many files may import each other: a module and a detail or two of it, which are read together.
const MAX_CYCLE: usize = 3;

/// Every set of more than [`MAX_CYCLE`] files each of which imports all others, directly or through them.
pub(super) fn check(imports: &Imports) -> Findings {
    let mut findings = Findings::new();
    for cycle in components(imports).into_iter().filter(|cycle| cycle.len() > MAX_CYCLE) {
        let mut finding = format!("import cycle of {} files:", cycle.len());
        for file in &cycle {
            for (target, reference) in imports.files[file].iter().filter(|(target, _)| cycle.contains(target)) {
                finding.push_str(&format!("\n    {file}:{} -> {target} (`{}`)", reference.line, reference.path));
            }
        }
        findings.push(finding);
    }
    findings
}

/// Tarjan's algorithm: the components, each sorted.
fn components(imports: &Imports) -> Vec<Vec<String>> {
    let mut search = Search { imports, numbers: BTreeMap::new(), stack: Vec::new(), found: Vec::new() };
    for file in imports.files.keys() {
        if !search.numbers.contains_key(file.as_str()) {
            search.visit(file);
        }
    }
    search.found
}

struct Search<'a> {
    imports: &'a Imports,
    /// In which order files were met; `usize::MAX` once a file's component is complete.
    numbers: BTreeMap<&'a str, usize>,
    stack: Vec<&'a str>,
    found: Vec<Vec<String>>,
}

impl<'a> Search<'a> {
    /// The lowest number that is reached from a file. Recursion is as deep as the longest chain of imports.
    fn visit(&mut self, file: &'a str) -> usize {
        let number = self.numbers.len();
        self.numbers.insert(file, number);
        self.stack.push(file);
        let mut lowest = number;
        for target in self.imports.files.get(file).into_iter().flat_map(BTreeMap::keys) {
            let reached = match self.numbers.get(target.as_str()) {
                None => self.visit(target),
                Some(number) => *number,
            };
            lowest = lowest.min(reached);
        }
        if lowest == number {
            let start = self.stack.iter().position(|it| *it == file).unwrap_or_default();
            let mut component: Vec<String> = self.stack.drain(start..).map(str::to_owned).collect();
            for file in &component {
                if let Some(number) = self.numbers.get_mut(file.as_str()) {
                    *number = usize::MAX;
                }
            }
            component.sort();
            self.found.push(component);
        }
        lowest
    }
}

#[cfg(test)]
mod tests {
    use super::super::imports::of_crate;
    use super::super::sources::Sources;
    use super::*;

    /// Files `a`, `b`, … each of which imports those named.
    fn findings(edges: &[(&str, &str)]) -> Findings {
        let files: Vec<(String, String)> = edges
            .iter()
            .map(|(file, targets)| {
                let uses = targets.chars().map(|target| format!("use crate::{target}::X;\n"));
                (format!("c/src/{file}.rs"), uses.chain(["pub struct X;".to_owned()]).collect())
            })
            .collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (&**path, &**text)).collect();
        check(&of_crate(&Sources::of(&files), "c/src").unwrap())
    }

    #[test]
    fn four_files_in_a_circle_are_found_and_three_are_not() {
        assert_eq!(findings(&[("a", "b"), ("b", "c"), ("c", "ad"), ("d", "")]), Findings::new());
        let found = findings(&[("a", "b"), ("b", "c"), ("c", "d"), ("d", "a"), ("e", "a")]);
        assert_eq!(found.len(), 1);
        let lines: Vec<&str> = found[0].lines().collect();
        assert_eq!(lines[..2], ["import cycle of 4 files:", "    c/src/a.rs:1 -> c/src/b.rs (`crate::b::X`)"]);
        assert_eq!(lines.len(), 5);
    }

    #[test]
    fn two_small_circles_that_share_a_file_are_one() {
        let found = findings(&[("a", "bcd"), ("b", "a"), ("c", "a"), ("d", "a")]);
        assert!(found[0].starts_with("import cycle of 4 files:"));
    }
}
