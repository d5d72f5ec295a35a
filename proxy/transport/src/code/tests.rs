use super::*;

const MAPS: &str = "\
00400000-00450000 r--p 00000000 fe:00 11 /usr/bin/tandem
00450000-01300000 r-xp 00050000 fe:00 11 /usr/bin/tandem
01300000-01400000 r--p 00f00000 fe:00 11 /usr/bin/tandem
01400000-01410000 rw-p 01000000 fe:00 11 /usr/bin/tandem
02000000-02100000 rw-p 00000000 00:00 0
7f0000000000-7f0000100000 r-xp 00020000 fe:00 12 /usr/lib/libc.so.6
7f0000200000-7f0000300000 rwxp 00000000 fe:00 11 /usr/bin/tandem
";

#[test]
fn only_code_of_the_program_itself_that_cannot_be_written_is_given_back() {
    let code = Mapping {
        start: 0x0045_0000,
        end: 0x0130_0000,
    };
    assert_eq!(mappings(MAPS, "/usr/bin/tandem"), [code]);
    assert_eq!(mappings(MAPS, "/usr/bin/other"), []);
}

/// Kilobytes of this program's code that are in memory.
fn resident() -> usize {
    let program = std::fs::read_link("/proc/self/exe").unwrap();
    let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let mut lines = smaps.lines();
    lines
        .find(|line| line.contains(" r-xp ") && line.ends_with(&*program.to_string_lossy()))
        .expect("it has code");
    let rss = lines.find_map(|line| line.strip_prefix("Rss:")).unwrap();
    rss.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn what_was_given_back_is_mapped_again_as_it_is_run() {
    let sorted = |mut numbers: Vec<u32>| {
        numbers.sort_unstable();
        numbers
    };
    // What other tests run meanwhile is mapped for them. In hardly any other way it becomes less:
    // once in many times is enough.
    let mut seen = Vec::new();
    while seen.last().is_none_or(|(before, after)| after >= before) {
        assert!(seen.len() < 100, "kB before and after: {seen:?}");
        let before = resident();
        assert!(release().unwrap() > 0);
        seen.push((before, resident()));
    }
    assert_eq!(sorted(vec![3, 1, 2]), [1, 2, 3]);
}
