//! Images of programs: that they are the same wherever they are made, and start with nothing else around them.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::host;
use crate::run::{Program, script};

/// What a container runs, under `threads`.
const STEPS: &str = "'who', 'read:/data/in.txt'";

/// A program with a directory beside its file.
fn program(steps: &str, more: &str) -> Program {
    let program = Program::new(&(script("ASYNC", steps) + more));
    fs::create_dir(program.dir.path().join("data")).expect("it can be made");
    program
}

/// Makes the image of a program, and says what was written.
#[track_caller]
fn make(program: &Path, file: &Path, options: &[&str]) -> Value {
    let output = try_make(program, file, options);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("it is JSON")
}

fn try_make(program: &Path, file: &Path, options: &[&str]) -> Output {
    let mut command = Command::new(host::BINARY);
    command.arg("image").arg(program).arg("--output").arg(file).args(["--format", "json"]).args(options);
    command.env("NO_COLOR", "1").output().expect("the binary runs")
}

/// An image, read from its file.
struct Image {
    file: PathBuf,
    manifest: Value,
    config: Value,
}

impl Image {
    #[track_caller]
    fn read(file: &Path) -> Self {
        let index: Value = Self::document(file, "index.json");
        let blob = |descriptor: &Value| {
            let digest = descriptor["digest"].as_str().and_then(|digest| digest.strip_prefix("sha256:"));
            Self::document(file, &format!("blobs/sha256/{}", digest.expect("it has a digest")))
        };
        let manifest: Value = blob(&index["manifests"][0]);
        let config = blob(&manifest["config"]);
        Self { file: file.to_owned(), manifest, config }
    }

    fn document(file: &Path, name: &str) -> Value {
        serde_json::from_slice(&entry(file, name)).expect("it is JSON")
    }

    fn layers(&self) -> Vec<String> {
        let layers = self.manifest["layers"].as_array().expect("it has layers");
        layers.iter().map(|layer| layer["digest"].as_str().expect("it has a digest").replace(':', "/")).collect()
    }

    /// A directory with what a container of it finds.
    fn unpacked(&self) -> TempDir {
        let root = tempfile::tempdir().expect("a temporary directory can be made");
        for layer in self.layers() {
            let bytes = entry(&self.file, &format!("blobs/{layer}"));
            tar::Archive::new(bytes.as_slice()).unpack(root.path()).expect("it can be unpacked");
        }
        root
    }

    /// Its entry point as its user, in a container that has nothing else; or nothing if this machine gives no namespaces.
    fn container(&self, root: &Path) -> Option<Command> {
        let text = |value: &Value| value.as_str().expect("it is a text").to_owned();
        let config = &self.config["config"];
        let user = text(&config["User"]);
        let (user, group) = user.split_once(':').expect("it has a group");
        let unshare = |words: &[String]| {
            // Whatever runs containers gives them devices and /proc.
            let mut command = Command::new("unshare");
            command.args(["--mount", "/bin/sh", "-c", "/bin/mount --rbind /dev \"$0/dev\" && exec \"$@\""]).arg(root);
            command.args(["/usr/bin/unshare", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child"]);
            command.args(["--mount-proc", "--mount"]);
            command.arg("--root").arg(root).arg(format!("--setuid={user}")).arg(format!("--setgid={group}"));
            command.args(words).env_clear();
            for variable in config["Env"].as_array().into_iter().flatten().map(text) {
                let (name, value) = variable.split_once('=').expect("it has a value");
                command.env(name, value);
            }
            command
        };
        let allowed = unshare(&["/lp/lp-host".to_owned(), "--version".to_owned()]).output();
        if !allowed.as_ref().is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: no namespaces here: {allowed:?}");
            return None;
        }
        let words: Vec<_> = config["Entrypoint"].as_array().into_iter().flatten().map(text).collect();
        Some(unshare(&words))
    }
}

/// A file of a tar.
#[track_caller]
fn entry(file: &Path, name: &str) -> Vec<u8> {
    let mut tar = tar::Archive::new(File::open(file).expect("it is there"));
    for entry in tar.entries_with_seek().expect("it is a tar") {
        let mut entry = entry.expect("it is a tar");
        if entry.path().expect("it has a name").as_os_str() == name {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("it can be read");
            return bytes;
        }
    }
    panic!("{name} is not in {}", file.display());
}

const GRANTED: &str = "[nodes.probe.sandbox]\ndirs = [{ host = 'data', guest = '/data' }]\n";

#[test]
fn an_image_is_the_same_wherever_it_is_made() {
    let (one, two) = (program(STEPS, GRANTED), program(STEPS, GRANTED));
    let (a, b) = (one.dir.path().join("a.tar"), two.dir.path().join("other.tar"));
    let (first, second) = (make(&one.path(), &a, &[]), make(&two.path(), &b, &[]));
    assert_eq!(first["digest"], second["digest"]);
    assert!(fs::read(&a).expect("it is there") == fs::read(&b).expect("it is there"), "they differ");
    // What is granted is where a volume can be mounted.
    let image = Image::read(&a);
    let root = image.unpacked();
    let plan = fs::read(root.path().join("lp/program/plan.json")).expect("it is there");
    let plan: Value = serde_json::from_slice(&plan).expect("it is JSON");
    assert_eq!(plan["nodes"][0]["sandbox"]["dirs"][0]["host"], "/lp/program/data");
    assert!(!plan.to_string().contains(&one.dir.path().display().to_string()));
}

#[test]
fn an_image_starts_by_itself_with_nothing_around_it() {
    for launch_type in ["threads", "processes"] {
        let program = program(STEPS, GRANTED);
        let file = program.dir.path().join("image.tar");
        make(&program.path(), &file, &["--launch-type", launch_type]);
        let image = Image::read(&file);
        let root = image.unpacked();
        let Some(mut container) = image.container(root.path()) else { return };
        let output = container.output().expect("it starts");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(4), "{stderr}");
        assert!(stderr.contains("the directory `/lp/program/data`, which `probe` is granted, is not in"), "{stderr}");
        assert!(stderr.contains("--volume HERE:/lp/program/data"), "{stderr}");

        fs::create_dir(root.path().join("lp/program/data")).expect("it can be made");
        fs::write(root.path().join("lp/program/data/in.txt"), "mounted").expect("it can be written");
        let output = container.output().expect("it starts");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(stdout.contains(&format!("probe/0 │ test probe 0/1 {launch_type}")), "{stdout}");
        assert!(stdout.contains("mounted"), "{stdout}");
    }
}

/// A base as `docker save` writes it: a layer with one file, and a configuration.
fn base(dir: &Path, architecture: &str) -> PathBuf {
    let mut layer = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(4);
    header.set_mode(0o644);
    layer.append_data(&mut header, "opt/model", &b"data"[..]).expect("memory takes it");
    let layer = layer.into_inner().expect("memory takes it");
    let config = json!({
        "architecture": architecture, "os": "linux",
        "config": { "Env": ["PATH=/opt/bin", "HOME=/root", "MODEL=/opt/model"], "Cmd": ["/bin/sh"], "User": "root",
            "Labels": { "b": "2", "a": "1" }, "Healthcheck": { "Test": ["NONE"] } },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{}", lp_base::words::Digest::of(&layer))] },
        "history": [{ "created_by": "the base" }],
    });
    let manifest = json!([{ "Config": "c.json", "RepoTags": null, "Layers": ["1/layer.tar"] }]);
    let mut tar = tar::Builder::new(Vec::new());
    let files = [
        ("c.json", config.to_string().into_bytes()),
        ("1/layer.tar", layer),
        ("manifest.json", manifest.to_string().into_bytes()),
    ];
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes.as_slice()).expect("memory takes it");
    }
    let path = dir.join(format!("{architecture}.tar"));
    fs::write(&path, tar.into_inner().expect("memory takes it")).expect("it can be written");
    path
}

fn own_architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" }
}

#[test]
fn a_base_keeps_its_layers_and_what_it_says_of_itself() {
    let program = program("'who'", "");
    let dir = program.dir.path();
    let base = base(dir, own_architecture()).display().to_string();
    let file = dir.join("image.tar");
    make(&program.path(), &file, &["--base", &base, "--name", "lab/pair:1"]);
    let image = Image::read(&file);
    assert_eq!(image.layers().len(), 3);
    let root = image.unpacked();
    assert_eq!(fs::read_to_string(root.path().join("opt/model")).expect("it is there"), "data");
    assert!(!root.path().join("lib64").exists(), "the base has the libraries");
    let config = &image.config["config"];
    assert_eq!(config["Env"], json!(["PATH=/opt/bin", "MODEL=/opt/model", "HOME=/tmp"]));
    assert_eq!(config["Labels"], json!({ "a": "1", "b": "2" }));
    assert_eq!(config["Healthcheck"], json!({ "Test": ["NONE"] }));
    assert_eq!((&config["User"], &config["Cmd"]), (&json!("65532:65532"), &Value::Null));
    assert_eq!(image.config["history"].as_array().map(Vec::len), Some(3));
    assert_eq!(Image::document(&file, "manifest.json")[0]["RepoTags"], json!(["lab/pair:1"]));

    // An image of ours is a base too, and one made of its own layers is what it was.
    let again = dir.join("again.tar");
    make(&program.path(), &again, &["--base", &file.display().to_string()]);
    let layers = Image::read(&again).layers();
    assert_eq!(layers[..3], image.layers());
    assert_eq!(layers.iter().collect::<BTreeSet<_>>().len(), 3, "the same layers are the same blobs");
}

#[test]
fn what_is_no_base_is_an_error() {
    let program = program("'who'", "");
    let dir = program.dir.path();
    let check = |base: &Path, text: &str| {
        let file = dir.join("image.tar");
        let output = try_make(&program.path(), &file, &["--base", &base.display().to_string()]);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(text), "{stderr}");
        assert!(!file.exists(), "a half image is there");
    };
    check(&base(dir, "s390x"), "it is for linux/s390x, and lp-host for linux/");
    check(&dir.join("none.tar"), "can't be read as a tar");
    let own = base(dir, own_architecture());
    let bytes = fs::read(&own).expect("it is there");
    let damaged = dir.join("damaged.tar");
    let at = bytes.windows(4).position(|part| part == b"data").expect("the file is in it");
    let mut other = bytes.clone();
    other[at] = b'x';
    fs::write(&damaged, other).expect("it can be written");
    check(&damaged, "is another one than its configuration says");
    fs::write(&damaged, &bytes[..600]).expect("it can be written");
    check(&damaged, "can't be read as a tar");
    fs::write(&damaged, [0; 1024]).expect("it can be written");
    check(&damaged, "it has neither `index.json` nor `manifest.json`");

    let output = try_make(&program.path(), &dir.join("image.tar"), &["--name", "Pair"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn other_tools_read_an_image_both_ways() {
    if Command::new("skopeo").arg("--version").output().is_err() {
        return eprintln!("skipped: no skopeo");
    }
    let program = program("'who'", "");
    let dir = program.dir.path();
    let file = dir.join("image.tar");
    let written = make(&program.path(), &file, &[]);
    let copied = |from: &str, to: &str| {
        let to = format!("dir:{}", dir.join(to).display());
        let from = format!("{from}:{}", file.display());
        let output = Command::new("skopeo").args(["--insecure-policy", "copy", &from, &to]).output();
        let output = output.expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    copied("oci-archive", "oci");
    let manifest = fs::read(dir.join("oci/manifest.json")).expect("it is there");
    assert_eq!(written["digest"], format!("sha256:{}", lp_base::words::Digest::of(&manifest)));
    copied("docker-archive", "docker");
    let config = Image::read(&file).manifest["config"]["digest"].as_str().map(|digest| digest.replace("sha256:", ""));
    let config = config.expect("it has a digest");
    let same = ["oci", "docker"].map(|way| fs::read(dir.join(way).join(&config)).expect("it has the configuration"));
    assert_eq!(same[0], same[1]);
}
