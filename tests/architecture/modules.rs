//! The uses between files of a crate, read from the sources.

use proc_macro2::{TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};

/// The modules of one crate. The first is its root.
#[derive(Default)]
pub struct Modules {
    modules: Vec<Module>,
    /// The modules of the macros that `#[macro_export]` names in the root.
    macros: BTreeMap<String, usize>,
}

/// A module; one that is written inside a file belongs to that file.
#[derive(Default)]
struct Module {
    file: PathBuf,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    /// The names of the items that are defined here.
    items: BTreeSet<String>,
    imports: Vec<Import>,
    /// The paths in its code, imports excepted.
    mentions: Vec<Names>,
}

/// The segments of a path.
type Names = Vec<String>;

struct Import {
    /// Its name here; none for `*`.
    name: Option<String>,
    path: Names,
    /// Shown to other modules. Such an import alone does not use anything.
    is_public: bool,
}

/// The end of a path.
#[derive(Clone, Copy)]
enum Target {
    Module(usize),
    /// An item of this module.
    Item(usize),
}

/// The names that have been looked up on the way, each in its module: imports may lead in circles.
type Seen = BTreeSet<(usize, String)>;

/// A file with the files that it uses, each with the path by which it does.
pub type Uses = BTreeMap<PathBuf, BTreeMap<PathBuf, String>>;

impl Modules {
    /// Reads a crate from its root file. `read` gives the text of a file, or `None` if there is no such file.
    pub fn read(root: &Path, read: &dyn Fn(&Path) -> Option<String>) -> Self {
        let mut modules = Self::default();
        let folder = root.parent().unwrap_or(Path::new(""));
        modules.add_file(root, folder, None, read);
        modules
    }

    /// The uses between files: by an import, or by a path in the code. A file that only declares modules and
    /// re-exports their items does not use them; the path through such a file leads to the file with the item.
    pub fn uses(&self) -> Uses {
        let mut uses = Uses::new();
        for (index, module) in self.modules.iter().enumerate() {
            let used = uses.entry(module.file.clone()).or_default();
            let imported = module
                .imports
                .iter()
                .filter(|import| !import.is_public && import.name.is_some())
                .map(|import| &import.path);
            for path in imported.chain(&module.mentions) {
                if let Some(Target::Item(other)) = self.resolve(index, path, &mut Seen::new()) {
                    let file = &self.modules[other].file;
                    if *file != module.file {
                        used.entry(file.clone()).or_insert_with(|| path.join("::"));
                    }
                }
            }
        }
        uses
    }

    fn add_file(
        &mut self,
        file: &Path,
        folder: &Path,
        parent: Option<usize>,
        read: &dyn Fn(&Path) -> Option<String>,
    ) -> usize {
        let text = read(file).unwrap_or_else(|| panic!("cannot read {}", file.display()));
        let parsed =
            syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.add_module(file, folder, parent, parsed.items, read)
    }

    /// Adds a module and its children, whose files are in `folder`.
    fn add_module(
        &mut self,
        file: &Path,
        folder: &Path,
        parent: Option<usize>,
        items: Vec<syn::Item>,
        read: &dyn Fn(&Path) -> Option<String>,
    ) -> usize {
        let index = self.modules.len();
        self.modules.push(Module {
            file: file.to_path_buf(),
            parent,
            ..Module::default()
        });
        for item in items {
            if is_for_tests(attributes(&item)) {
                continue;
            }
            if let syn::Item::Mod(module) = item {
                let name = module.ident.to_string();
                let inner = folder.join(&name);
                let child = match module.content {
                    Some((_, items)) => self.add_module(file, &inner, Some(index), items, read),
                    None => {
                        let alone = folder.join(format!("{name}.rs"));
                        let with_folder = inner.join("mod.rs");
                        let file = if read(&alone).is_some() {
                            alone
                        } else {
                            with_folder
                        };
                        self.add_file(&file, &inner, Some(index), read)
                    }
                };
                self.modules[index].children.insert(name, child);
            } else {
                if let syn::Item::Macro(exported) = &item
                    && exported
                        .attrs
                        .iter()
                        .any(|a| a.path().is_ident("macro_export"))
                {
                    self.macros.extend(defined(&item).map(|name| (name, index)));
                }
                let module = &mut self.modules[index];
                module.items.extend(defined(&item));
                Reader(module).visit_item(&item);
            }
        }
        index
    }

    fn resolve(&self, from: usize, path: &[String], seen: &mut Seen) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let mut target = match first.as_str() {
            "crate" => Target::Module(0),
            "self" => Target::Module(from),
            "super" => Target::Module(self.modules[from].parent?),
            name => self.look_up(from, name, seen)?,
        };
        for name in rest {
            target = match target {
                Target::Module(module) if name == "super" => {
                    Target::Module(self.modules[module].parent?)
                }
                Target::Module(module) => self
                    .look_up(module, name, seen)
                    .unwrap_or(Target::Item(module)),
                // A variant or an associated item is in the file of its type.
                item => return Some(item),
            };
        }
        Some(target)
    }

    /// The module or item of a name in a module.
    fn look_up(&self, module: usize, name: &str, seen: &mut Seen) -> Option<Target> {
        if !seen.insert((module, name.to_string())) {
            return None;
        }
        let here = &self.modules[module];
        if let Some(child) = here.children.get(name) {
            return Some(Target::Module(*child));
        }
        if here.items.contains(name) {
            return Some(Target::Item(module));
        }
        if module == 0
            && let Some(other) = self.macros.get(name)
        {
            return Some(Target::Item(*other));
        }
        let mut named = here
            .imports
            .iter()
            .filter(|i| i.name.as_deref() == Some(name));
        if let Some(found) = named.find_map(|import| self.resolve(module, &import.path, seen)) {
            return Some(found);
        }
        here.imports
            .iter()
            .filter(|import| import.name.is_none())
            .find_map(|import| match self.resolve(module, &import.path, seen)? {
                Target::Module(other) if other != module => self.look_up(other, name, seen),
                _ => None,
            })
    }
}

/// The circles among files: of each file that is in one the shortest, each circle once.
pub fn circles(uses: &Uses) -> Vec<Vec<PathBuf>> {
    let mut seen = BTreeSet::new();
    let mut circles: Vec<Vec<PathBuf>> = uses
        .keys()
        .filter_map(|file| way_back(uses, file))
        .filter(|circle| seen.insert(circle.iter().cloned().collect::<BTreeSet<_>>()))
        .collect();
    circles.sort_by_key(Vec::len);
    circles
}

/// The shortest way from a file over others back to it.
fn way_back(uses: &Uses, start: &Path) -> Option<Vec<PathBuf>> {
    let mut came_from: BTreeMap<&Path, &Path> = BTreeMap::new();
    let mut waiting = VecDeque::from([start]);
    while let Some(file) = waiting.pop_front() {
        for next in uses.get(file).into_iter().flat_map(BTreeMap::keys) {
            if next == start {
                let mut circle = vec![file.to_path_buf()];
                let mut last = file;
                while let Some(before) = came_from.get(last) {
                    circle.push(before.to_path_buf());
                    last = before;
                }
                circle.reverse();
                return Some(circle);
            }
            if !came_from.contains_key(next.as_path()) {
                came_from.insert(next, file);
                waiting.push_back(next);
            }
        }
    }
    None
}

/// Collects the paths and imports of an item.
struct Reader<'a>(&'a mut Module);

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !is_for_tests(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_item_use(&mut self, import: &'ast syn::ItemUse) {
        let is_public = !matches!(import.vis, syn::Visibility::Inherited);
        if import.leading_colon.is_none() {
            self.import(&import.tree, Vec::new(), is_public);
        }
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if let syn::Expr::Path(function) = &*call.func {
            self.0.mentions.push(names(&function.path));
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names = names(path);
        if path.leading_colon.is_none()
            && (names.len() > 1 || names.iter().all(|name| is_type(name)))
        {
            self.0.mentions.push(names);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.0.mentions.push(names(&call.path));
        self.tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
        }
    }
}

impl Reader<'_> {
    fn import(&mut self, tree: &syn::UseTree, mut path: Names, is_public: bool) {
        let name = match tree {
            syn::UseTree::Path(inner) => {
                path.push(inner.ident.to_string());
                return self.import(&inner.tree, path, is_public);
            }
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, path.clone(), is_public);
                }
                return;
            }
            syn::UseTree::Name(name) if name.ident == "self" => path.last().cloned(),
            syn::UseTree::Name(name) => {
                path.push(name.ident.to_string());
                path.last().cloned()
            }
            syn::UseTree::Rename(names) => {
                path.push(names.ident.to_string());
                Some(names.rename.to_string())
            }
            syn::UseTree::Glob(_) => None,
        };
        self.0.imports.push(Import {
            name,
            path,
            is_public,
        });
    }

    /// Paths in code that only a macro reads: `a::b`, types, calls, and paths in strings, as serde takes them.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path = Names::new();
        let mut colons = 0;
        let mut after_dot = false;
        for token in tokens {
            match token {
                TokenTree::Ident(name) => {
                    if colons != 2 {
                        self.end_of_path(&mut path, false);
                    }
                    if !after_dot {
                        path.push(name.to_string());
                    }
                    colons = 0;
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    let is_call = group.delimiter() == proc_macro2::Delimiter::Parenthesis;
                    self.end_of_path(&mut path, is_call && colons == 0);
                    self.tokens(group.stream());
                    colons = 0;
                }
                TokenTree::Literal(literal) => {
                    self.end_of_path(&mut path, false);
                    let text = literal.to_string();
                    if let Ok(path) = syn::parse_str::<syn::Path>(text.trim_matches('"')) {
                        self.0.mentions.push(names(&path));
                    }
                }
                TokenTree::Punct(mark) => {
                    self.end_of_path(&mut path, false);
                    colons = 0;
                    after_dot = mark.as_char() == '.';
                    continue;
                }
            }
            after_dot = false;
        }
        self.end_of_path(&mut path, false);
    }

    fn end_of_path(&mut self, path: &mut Names, is_call: bool) {
        let path = std::mem::take(path);
        if path.len() > 1 || path.iter().all(|name| is_call || is_type(name)) {
            self.0.mentions.push(path);
        }
    }
}

/// A name alone that begins with a small letter is mostly a variable.
fn is_type(name: &str) -> bool {
    name.starts_with(char::is_uppercase)
}

fn names(path: &syn::Path) -> Names {
    path.segments
        .iter()
        .map(|segment| segment.ident.to_string())
        .collect()
}

/// The name that an item brings into its module.
fn defined(item: &syn::Item) -> Option<String> {
    let name = match item {
        syn::Item::Const(item) => &item.ident,
        syn::Item::Enum(item) => &item.ident,
        syn::Item::Fn(item) => &item.sig.ident,
        syn::Item::Macro(item) => item.ident.as_ref()?,
        syn::Item::Static(item) => &item.ident,
        syn::Item::Struct(item) => &item.ident,
        syn::Item::Trait(item) => &item.ident,
        syn::Item::Type(item) => &item.ident,
        syn::Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// `#[test]`, `#[cfg(test)]` and `#[cfg(all(test, …))]`.
fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) if list.path.is_ident("cfg") => {
            let condition = list.tokens.to_string();
            condition == "test" || condition.starts_with("all (test")
        }
        _ => false,
    })
}
