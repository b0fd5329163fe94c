//! Settings at their places in a whole configuration, in the order of their declaration.

use crate::{Choice, Group, Kind, Object, Setting};

/// A setting of a configuration, parts and layouts included.
#[derive(Clone, Debug)]
pub struct Place {
    /// E.g. `training.steps`.
    pub path: String,
    pub setting: Setting,
    pub group: Group,
    /// It counts only while each of these settings has one of these values.
    pub when: Vec<(String, &'static [&'static str])>,
}

impl Place {
    /// The path as a JSON pointer.
    pub fn pointer(&self) -> String {
        format!("/{}", self.path.replace('.', "/"))
    }

    pub fn choices(&self) -> Vec<Choice> {
        self.setting.kind.choices()
    }
}

/// All settings of a configuration. A part that must be present has no setting of its own. A part that may be absent
/// is itself a setting, on which its settings depend, as the settings of a layout depend on its tag.
pub fn places(object: &Object) -> Vec<Place> {
    let mut walk = Walk::default();
    walk.all(object.settings, "");
    walk.places
}

#[derive(Default)]
struct Walk {
    places: Vec<Place>,
    /// The group that a part has set for all within it.
    group: Option<Group>,
    when: Vec<(String, &'static [&'static str])>,
}

impl Walk {
    fn all(&mut self, settings: &[Setting], prefix: &str) {
        for setting in settings {
            self.one(setting, prefix);
        }
    }

    fn one(&mut self, setting: &Setting, prefix: &str) {
        let path = format!("{prefix}{}", setting.name);
        let (outer_group, outer_conditions) = (self.group, self.when.len());
        if let Some(condition) = setting.when {
            let on = format!("{prefix}{}", condition.path);
            self.when.push((on, condition.values));
        }
        let group = self.group.or(setting.group);
        match setting.kind {
            Kind::Part(object) => {
                if setting.optional {
                    self.add(setting, path.clone(), group);
                    self.when.push((path.clone(), &["true"]));
                }
                self.group = group;
                self.all(object.settings, &format!("{path}."));
            }
            Kind::Layouts(layouts) => {
                self.group = group;
                let tag = format!("{path}.{}", layouts.tag);
                self.add(setting, tag.clone(), group);
                for layout in layouts.layouts {
                    let chosen = std::slice::from_ref(&layout.choice.value);
                    self.when.push((tag.clone(), chosen));
                    self.all(layout.settings, &format!("{path}."));
                    self.when.pop();
                }
            }
            _ => self.add(setting, path, group),
        }
        self.group = outer_group;
        self.when.truncate(outer_conditions);
    }

    fn add(&mut self, setting: &Setting, path: String, group: Option<Group>) {
        self.places.push(Place {
            path,
            setting: *setting,
            group: group.unwrap_or(Group::Main),
            when: self.when.clone(),
        });
    }
}
