//! What it was measured on: no more than what the figures depend on.

use std::fs;

/// The machine in lines of a list. `used` says what of its CPUs was used.
pub(crate) fn lines(used: &str) -> Vec<String> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let jit = match read("/proc/sys/net/core/bpf_jit_enable").trim() {
        "1" => "on",
        "" => "not known",
        _ => "off, or debugging",
    };
    vec![
        format!("kernel: Linux {}", read("/proc/sys/kernel/osrelease").trim()),
        format!("processor: {}, {} CPUs, {used}", processor(&cpuinfo), cpus(&cpuinfo)),
        format!("BPF compiler of the kernel: {jit}"),
        format!(
            "mitigations of return speculation: {}",
            mitigation(&read("/sys/devices/system/cpu/vulnerabilities/spec_rstack_overflow"))
        ),
        format!("load average when it ended: {}", load(&read("/proc/loadavg"))),
    ]
}

/// How many CPUs there are. What this thread may use tells less: it has confined itself to one.
fn cpus(cpuinfo: &str) -> usize {
    cpuinfo.lines().filter(|line| line.starts_with("processor\t")).count()
}

/// Model of the processor.
fn processor(cpuinfo: &str) -> &str {
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
    model.and_then(|rest| rest.split_once(": ")).map_or("not known", |(_, model)| model)
}

fn mitigation(said: &str) -> &str {
    if said.trim().is_empty() { "not known" } else { said.trim() }
}

/// The first of the three load averages.
fn load(loadavg: &str) -> &str {
    loadavg.split(' ').next().filter(|load| !load.is_empty()).unwrap_or("not known")
}

#[cfg(test)]
mod tests {
    use super::{cpus, load, mitigation, processor};

    #[test]
    fn what_proc_says_is_understood() {
        assert_eq!(processor("processor\t: 0\nmodel name\t: A B C\n"), "A B C");
        assert_eq!(processor("Features: x\n"), "not known");
        assert_eq!(cpus("processor\t: 0\nmodel name\t: A\n\nprocessor\t: 1\n"), 2);
        assert_eq!(mitigation("Mitigation: Safe RET\n"), "Mitigation: Safe RET");
        assert_eq!(mitigation(""), "not known");
        assert_eq!(load("1.25 0.5 0.1 1/2 3\n"), "1.25");
    }
}
