//! The attributes of a type, a field or a variant.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::parse::ParseStream;
use syn::{Attribute, Expr, Ident, Lit, LitStr, Meta, Path, Token};

/// The doc comment: its first paragraph, and the others.
pub struct Docs {
    pub help: String,
    pub notes: String,
}

impl Docs {
    pub fn of(attributes: &[Attribute]) -> Self {
        let mut paragraphs = vec![String::new()];
        for line in attributes.iter().filter_map(doc_line) {
            let line = line.trim();
            match (line.is_empty(), paragraphs.last_mut()) {
                (false, Some(paragraph)) => {
                    if !paragraph.is_empty() {
                        paragraph.push(' ');
                    }
                    paragraph.push_str(line);
                }
                _ => paragraphs.push(String::new()),
            }
        }
        let help = paragraphs.remove(0);
        paragraphs.retain(|paragraph| !paragraph.is_empty());
        Self {
            help,
            notes: paragraphs.join("\n\n"),
        }
    }
}

fn doc_line(attribute: &Attribute) -> Option<String> {
    match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// `#[setting(…)]`.
#[derive(Default)]
pub struct SettingAttribute {
    pub label: Option<LitStr>,
    pub unit: Option<LitStr>,
    pub none: Option<LitStr>,
    pub group: Option<Ident>,
    pub range: Option<(TokenStream, TokenStream)>,
    pub default: Option<TokenStream>,
    pub when: Option<(String, Vec<LitStr>)>,
    pub lines: bool,
}

impl SettingAttribute {
    pub fn of(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut all = Self::default();
        for attribute in attributes.iter().filter(|a| a.path().is_ident("setting")) {
            attribute.parse_args_with(|input: ParseStream| all.read(input))?;
        }
        Ok(all)
    }

    fn read(&mut self, input: ParseStream) -> syn::Result<()> {
        while !input.is_empty() {
            let key = input.call(Ident::parse_any)?;
            let name = key.to_string();
            if name != "lines" && name != "when" {
                input.parse::<Token![=]>()?;
            }
            match name.as_str() {
                "label" => self.label = Some(input.parse()?),
                "unit" => self.unit = Some(input.parse()?),
                "none" => self.none = Some(input.parse()?),
                "group" => self.group = Some(input.parse()?),
                "range" => self.range = Some(range(input)?),
                "default" => self.default = Some(until(input, |input| input.peek(Token![,]))?),
                "when" => self.when = Some(condition(input)?),
                "lines" => self.lines = true,
                _ => {
                    return Err(syn::Error::new(
                        key.span(),
                        "a setting has no such property",
                    ));
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    }
}

/// `low..=high`, or `low..` for no upper end.
fn range(input: ParseStream) -> syn::Result<(TokenStream, TokenStream)> {
    let low = until(input, |input| input.peek(Token![..]))?;
    if input.peek(Token![..=]) {
        input.parse::<Token![..=]>()?;
        let high = until(input, |input| input.peek(Token![,]))?;
        return Ok((low, quote!((#high) as f64)));
    }
    input.parse::<Token![..]>()?;
    Ok((low, quote!(f64::INFINITY)))
}

fn until(input: ParseStream, ends: impl Fn(ParseStream) -> bool) -> syn::Result<TokenStream> {
    let mut tokens = TokenStream::new();
    while !input.is_empty() && !ends(input) {
        tokens.extend([input.parse::<TokenTree>()?]);
    }
    if tokens.is_empty() {
        return Err(input.error("a value is missing"));
    }
    Ok(tokens)
}

/// `(a.path = "one" | "other")`.
fn condition(input: ParseStream) -> syn::Result<(String, Vec<LitStr>)> {
    let inner;
    syn::parenthesized!(inner in input);
    let mut path = inner.call(Ident::parse_any)?.to_string();
    while inner.peek(Token![.]) {
        inner.parse::<Token![.]>()?;
        path = format!("{path}.{}", inner.call(Ident::parse_any)?);
    }
    inner.parse::<Token![=]>()?;
    let mut values = vec![inner.parse()?];
    while inner.peek(Token![|]) {
        inner.parse::<Token![|]>()?;
        values.push(inner.parse()?);
    }
    Ok((path, values))
}

/// The path in `#[settings(check = path)]`.
pub fn check(attributes: &[Attribute]) -> syn::Result<Option<Path>> {
    let mut check = None;
    for attribute in attributes.iter().filter(|a| a.path().is_ident("settings")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("check") {
                return Err(meta.error("settings have no such property"));
            }
            check = Some(meta.value()?.parse()?);
            Ok(())
        })?;
    }
    Ok(check)
}

/// The serde attributes that change settings.
#[derive(Default)]
pub struct Serde {
    /// A missing value is taken from `Default`.
    pub default: bool,
    /// A missing value is taken from this function.
    pub default_function: Option<Path>,
    pub tag: Option<LitStr>,
}

impl Serde {
    pub fn of(attributes: &[Attribute]) -> syn::Result<Self> {
        let mut all = Self::default();
        for attribute in attributes.iter().filter(|a| a.path().is_ident("serde")) {
            attribute.parse_nested_meta(|meta| all.read(meta))?;
        }
        Ok(all)
    }

    fn read(&mut self, meta: ParseNestedMeta) -> syn::Result<()> {
        let value = match meta.input.peek(Token![=]) {
            true => Some(meta.value()?.parse::<LitStr>()?),
            false => None,
        };
        match value {
            Some(path) if meta.path.is_ident("default") => {
                self.default_function = Some(path.parse()?);
            }
            None if meta.path.is_ident("default") => self.default = true,
            Some(tag) if meta.path.is_ident("tag") => self.tag = Some(tag),
            _ => {}
        }
        Ok(())
    }
}

/// A name in words: `Learning rate` for `learning_rate`.
pub fn in_words(snake_case: &str) -> String {
    let words = snake_case.replace('_', " ");
    let mut characters = words.chars();
    characters.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(characters).collect()
    })
}

/// The name that serde's `rename_all = "snake_case"` gives a variant.
pub fn snake_case(variant: &Ident) -> String {
    let mut name = String::new();
    for character in variant.to_string().chars() {
        if character.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(character.to_lowercase());
    }
    name
}
