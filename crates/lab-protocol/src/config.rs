use crate::{ErrorCode, LabError, SCHEMA_VERSION};
use serde::{Deserialize, Serialize};

/// Where the computation runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BackendChoice {
    /// A usable GPU if there is one, else the CPU (natively: the CPU).
    #[default]
    Auto,
    Cpu,
    /// WebGPU in a browser; Vulkan, Metal or DX12 natively, where the program was built with it.
    Wgpu,
}

/// A named set of strategy runs that share data, seed and evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ExperimentConfig {
    #[serde(default = "schema_version")]
    pub schema: u32,
    pub name: String,
    #[serde(default)]
    pub description: String,
    /// Decides initial weights, batches, dropout and samples.
    #[serde(default = "default_seed")]
    pub seed: u64,
    #[serde(default)]
    pub backend: BackendChoice,
    pub data: DataConfig,
    pub strategies: Vec<StrategyConfig>,
}

fn schema_version() -> u32 {
    SCHEMA_VERSION
}
fn default_seed() -> u64 {
    1337
}

/// Largest seed: JavaScript's numbers are exact up to here, so a seed means the same everywhere.
pub const MAX_SEED: u64 = (1 << 53) - 1;

impl ExperimentConfig {
    /// An experiment without strategies yet, everything else at its default.
    ///
    /// ```
    /// use lab_protocol::*;
    /// let pretraining = PretrainingConfig {
    ///     model: ModelConfig { layers: 2, ..Default::default() },
    ///     ..Default::default()
    /// };
    /// let experiment = ExperimentConfig::new("mine", DataConfig::village("hamlet"))
    ///     .with(StrategyConfig::new("pretrain", "pretraining", &pretraining)?)
    ///     .with(StrategyConfig::new("tune", "fine_tuning", &FineTuningConfig::default())?.starting_from("pretrain"));
    /// experiment.validate()?;
    /// # Ok::<(), LabError>(())
    /// ```
    pub fn new(name: &str, data: DataConfig) -> Self {
        Self {
            schema: SCHEMA_VERSION,
            name: name.to_owned(),
            description: String::new(),
            seed: default_seed(),
            backend: BackendChoice::default(),
            data,
            strategies: Vec::new(),
        }
    }

    /// The same with one more strategy.
    pub fn with(mut self, strategy: StrategyConfig) -> Self {
        self.strategies.push(strategy);
        self
    }

    /// Checks what does not depend on data. Each strategy checks its own `config`.
    pub fn validate(&self) -> Result<(), LabError> {
        if self.schema != SCHEMA_VERSION {
            return Err(LabError::config(
                "schema",
                format!(
                    "the experiment has layout version {}, this program reads {SCHEMA_VERSION}",
                    self.schema
                ),
                "Use a program of the same version as the one that wrote the experiment.",
            ));
        }
        if self.name.trim().is_empty() {
            return Err(LabError::config(
                "name",
                "the experiment has no name",
                "Give it a name.",
            ));
        }
        if self.seed > MAX_SEED {
            return Err(LabError::config(
                "seed",
                format!("the seed {} is above {MAX_SEED}", self.seed),
                "Use a whole number from 0 to 9007199254740991.",
            ));
        }
        if self.strategies.is_empty() {
            return Err(LabError::config(
                "strategies",
                "the experiment has no strategy",
                "Add at least one, e.g. {\"name\": \"pretrain\", \"strategy\": \"pretraining\", \"config\": {…}}.",
            ));
        }
        self.order()?;
        for (index, strategy) in self.strategies.iter().enumerate() {
            let field = format!("strategies[{index}]");
            if strategy.name.trim().is_empty() {
                return Err(LabError::config(
                    "name",
                    "the strategy has no name",
                    "Give it a name.",
                )
                .at(&field));
            }
            if self.strategies[..index]
                .iter()
                .any(|other| other.name == strategy.name)
            {
                return Err(LabError::config(
                    "name",
                    format!("two strategies are called \"{}\"", strategy.name),
                    "Give each strategy a name of its own.",
                )
                .at(&field));
            }
        }
        Ok(())
    }

    /// Indices of the strategies in an order in which each comes after the one it starts from.
    pub fn order(&self) -> Result<Vec<usize>, LabError> {
        let mut order: Vec<usize> = Vec::with_capacity(self.strategies.len());
        let unknown = |from: &str| !self.strategies.iter().any(|other| other.name == from);
        for (index, strategy) in self.strategies.iter().enumerate() {
            if let Some(from) = strategy.from.as_deref().filter(|from| unknown(from)) {
                return Err(LabError::config(
                    "from",
                    format!("there is no strategy \"{from}\" to start from"),
                    "Name another strategy of this experiment.",
                )
                .at(&format!("strategies[{index}]")));
            }
        }
        while order.len() < self.strategies.len() {
            let ready = |index: &usize| {
                !order.contains(index)
                    && self.strategies[*index].from.as_deref().is_none_or(|from| {
                        order.iter().any(|&done| self.strategies[done].name == from)
                    })
            };
            match (0..self.strategies.len()).find(ready) {
                Some(next) => order.push(next),
                None => {
                    let stuck = (0..self.strategies.len()).find(|index| !order.contains(index));
                    return Err(LabError::config(
                        "from",
                        "strategies start from each other in a circle",
                        "Let one of them start from nothing.",
                    )
                    .at(&format!("strategies[{}]", stuck.unwrap_or_default())));
                }
            }
        }
        Ok(order)
    }
}

/// One strategy of an experiment. `config` is read by the strategy itself, so that a new strategy
/// changes nothing here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StrategyConfig {
    /// Unique within the experiment; metrics carry it.
    pub name: String,
    /// A registered strategy, e.g. `pretraining`.
    pub strategy: String,
    /// Name of the strategy of this experiment whose model this one starts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(default)]
    pub config: serde_json::Value,
}

impl StrategyConfig {
    /// The strategy registered as `strategy`, with its own configuration.
    pub fn new(name: &str, strategy: &str, config: &impl Serialize) -> Result<Self, LabError> {
        Ok(Self {
            name: name.to_owned(),
            strategy: strategy.to_owned(),
            from: None,
            config: serde_json::to_value(config)
                .map_err(|error| LabError::internal(error.to_string()))?,
        })
    }

    /// The same, starting from the model of the strategy called `name`.
    pub fn starting_from(mut self, name: &str) -> Self {
        self.from = Some(name.to_owned());
        self
    }
}

/// The data an experiment trains on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    pub source: DataSource,
    /// Name of the built-in text (`source: built_in`), of the village's preset (`source: village`), or of
    /// the file the user gave.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Settings of the village that differ from the preset's (`source: village`).
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub village: serde_json::Map<String, serde_json::Value>,
    /// Share of the text, at its end, that is held out for validation.
    #[serde(default = "default_validation_fraction")]
    pub validation_fraction: f64,
}

fn default_validation_fraction() -> f64 {
    0.1
}

impl DataConfig {
    /// The built-in text of this name.
    pub fn built_in(name: &str) -> Self {
        Self::of(DataSource::BuiltIn, name)
    }

    /// The village of this preset, made from the experiment's seed.
    pub fn village(preset: &str) -> Self {
        Self::of(DataSource::Village, preset)
    }

    /// A text that is given with the experiment.
    pub fn user() -> Self {
        Self::of(DataSource::User, "")
    }

    fn of(source: DataSource, name: &str) -> Self {
        Self {
            source,
            name: name.to_owned(),
            village: Default::default(),
            validation_fraction: default_validation_fraction(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum DataSource {
    /// A text that comes with the lab.
    BuiltIn,
    /// The small world made from a seed: text, questions, preferences and documents of known truth.
    Village,
    /// A text that the user supplies: pasted, dropped, or named with `--data`.
    User,
}

/// `PretrainingStrategy`'s configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct PretrainingConfig {
    pub model: ModelConfig,
    pub tokenizer: TokenizerKind,
    /// The most tokens that byte-pair encoding learns; the other kinds follow from the text.
    pub vocabulary: usize,
    pub training: TrainingConfig,
}

impl Default for PretrainingConfig {
    fn default() -> Self {
        Self {
            model: ModelConfig::default(),
            tokenizer: TokenizerKind::default(),
            vocabulary: 1024,
            training: TrainingConfig::default(),
        }
    }
}

impl PretrainingConfig {
    pub fn validate(&self) -> Result<(), LabError> {
        self.model.validate().map_err(|e| e.at("model"))?;
        self.training.validate().map_err(|e| e.at("training"))?;
        whole("vocabulary", self.vocabulary, 257, MAX_VOCABULARY)?;
        let stride = self.training.final_evaluation_stride;
        whole("final_evaluation_stride", stride, 0, self.model.context)
            .map_err(|e| e.at("training"))
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TokenizerKind {
    /// One token for each character that occurs in the text.
    #[default]
    Character,
    /// One token for each byte of UTF-8, 256 in all.
    Byte,
    /// Pieces of words: bytes, merged by how often they stand together (byte-pair encoding, as GPT-2).
    Bpe,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    #[default]
    LayerNorm,
    RmsNorm,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Position {
    /// A trained vector for each position (GPT-2).
    #[default]
    Learned,
    /// Rotary embeddings (Su et al. 2021), with the two halves of a head rotated, as in Llama.
    Rope,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// x·Φ(x), by the error function.
    #[default]
    Gelu,
    /// The tanh form that GPT-2 uses.
    GeluNew,
    /// max(x, 0).
    Relu,
    /// silu(gate)·up: three matrices instead of two (Shazeer 2020), as in Llama.
    Swiglu,
}

/// Shape of a decoder-only transformer. The vocabulary comes from the tokenizer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ModelConfig {
    pub layers: usize,
    pub heads: usize,
    /// Fewer than `heads` share keys and values (grouped-query attention); 0 means as many as `heads`.
    pub key_value_heads: usize,
    /// Size of a head; 0 means width / heads.
    pub head_width: usize,
    /// Size of a token's vector; a multiple of `heads` where `head_width` is 0.
    pub width: usize,
    /// Size of the MLP's inner layer; 0 means 4·width.
    pub hidden_width: usize,
    /// The window: the most tokens the model sees at once.
    pub context: usize,
    pub norm: Norm,
    pub norm_epsilon: f64,
    pub position: Position,
    pub rope_theta: f64,
    pub activation: Activation,
    /// Biases in the linear layers and in LayerNorm.
    pub bias: bool,
    /// Biases in the attention's linear layers, where that differs from `bias`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attention_bias: Option<bool>,
    /// Biases in the MLP's linear layers, where that differs from `bias`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mlp_bias: Option<bool>,
    /// The output layer is the token embedding, transposed.
    pub tied_head: bool,
    /// Probability with which an activation is dropped in training.
    pub dropout: f64,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            layers: 4,
            heads: 4,
            key_value_heads: 0,
            head_width: 0,
            width: 64,
            hidden_width: 0,
            context: 64,
            norm: Norm::LayerNorm,
            norm_epsilon: 1e-5,
            position: Position::Learned,
            rope_theta: 10_000.0,
            activation: Activation::Gelu,
            bias: false,
            attention_bias: None,
            mlp_bias: None,
            tied_head: true,
            dropout: 0.0,
        }
    }
}

/// Bounds that keep a typing error from allocating gigabytes. Far above what a browser trains.
const MAX_LAYERS: usize = 128;
const MAX_WIDTH: usize = 16_384;
const MAX_CONTEXT: usize = 32_768;
const MAX_VOCABULARY: usize = 262_144;

impl ModelConfig {
    pub fn key_value_heads(&self) -> usize {
        if self.key_value_heads == 0 {
            self.heads
        } else {
            self.key_value_heads
        }
    }

    pub fn hidden_width(&self) -> usize {
        if self.hidden_width == 0 {
            4 * self.width
        } else {
            self.hidden_width
        }
    }

    pub fn head_width(&self) -> usize {
        if self.head_width == 0 {
            self.width / self.heads
        } else {
            self.head_width
        }
    }

    /// Width of all heads' queries side by side.
    pub fn query_width(&self) -> usize {
        self.heads * self.head_width()
    }

    /// Width of all heads' keys, or values, side by side.
    pub fn key_value_width(&self) -> usize {
        self.key_value_heads() * self.head_width()
    }

    pub fn attention_bias(&self) -> bool {
        self.attention_bias.unwrap_or(self.bias)
    }

    pub fn mlp_bias(&self) -> bool {
        self.mlp_bias.unwrap_or(self.bias)
    }

    pub fn validate(&self) -> Result<(), LabError> {
        whole("layers", self.layers, 1, MAX_LAYERS)?;
        whole("heads", self.heads, 1, 1024)?;
        whole("width", self.width, 1, MAX_WIDTH)?;
        whole("hidden_width", self.hidden_width, 0, 8 * MAX_WIDTH)?;
        whole("context", self.context, 1, MAX_CONTEXT)?;
        whole("head_width", self.head_width, 0, MAX_WIDTH)?;
        if self.head_width == 0 && !self.width.is_multiple_of(self.heads) {
            return Err(LabError::config(
                "heads",
                format!(
                    "{} heads do not divide a width of {}",
                    self.heads, self.width
                ),
                "Choose a width that is a multiple of the heads, e.g. 4 heads and a width of 64.",
            ));
        }
        if !self.heads.is_multiple_of(self.key_value_heads()) {
            return Err(LabError::config(
                "key_value_heads",
                format!(
                    "{} key-value heads do not divide {} heads",
                    self.key_value_heads, self.heads
                ),
                "Choose a divisor of the heads, or 0 for as many as heads.",
            ));
        }
        if self.position == Position::Rope && !self.head_width().is_multiple_of(2) {
            return Err(LabError::config(
                "position",
                format!(
                    "rotary positions need an even head width, and it is {}",
                    self.head_width()
                ),
                "Change width or heads, or use learned positions.",
            ));
        }
        number("norm_epsilon", self.norm_epsilon, f64::MIN_POSITIVE, 1.0)?;
        number("rope_theta", self.rope_theta, 1.0, 1e12)?;
        number("dropout", self.dropout, 0.0, 0.95)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// Half a cosine from the highest to the lowest rate.
    #[default]
    Cosine,
    Linear,
    Constant,
}

/// How a model is trained. The defaults are those of the quick start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct TrainingConfig {
    pub steps: usize,
    /// Sequences in a micro-batch.
    pub batch_size: usize,
    /// Micro-batches whose gradients are summed before an update.
    pub gradient_accumulation: usize,
    pub learning_rate: f64,
    /// Where the schedule ends.
    pub minimum_learning_rate: f64,
    pub warmup_steps: usize,
    /// Step at which the schedule ends; 0 means `steps`.
    pub decay_steps: usize,
    pub schedule: Schedule,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    /// Decoupled decay (Loshchilov and Hutter 2019), on matrices and embeddings only.
    pub weight_decay: f64,
    /// Largest global norm of the gradient; 0 means no clipping.
    pub gradient_clip: f64,
    /// Steps between evaluations on the held-out part; 0 means at the end only.
    pub evaluation_interval: usize,
    /// Windows of the held-out part in an evaluation while training, the same ones every time; 0 means all.
    pub evaluation_windows: usize,
    /// The same for the evaluation at the end, whose loss is the result.
    pub final_evaluation_windows: usize,
    /// Tokens between the starts of the windows at the end, at most the context; 0 means the context:
    /// windows that do not overlap. With less, each token is judged with more text before it.
    pub final_evaluation_stride: usize,
    /// Evaluations without a better loss after which training stops; 0 means never.
    pub early_stopping_patience: usize,
    /// Steps between samples; 0 means none but at the end.
    pub sample_interval: usize,
    /// What samples begin with; empty means a new line, or the text's first character if it has none.
    pub sample_prompt: String,
    pub sample_tokens: usize,
    pub sample_temperature: f64,
    /// Steps between checkpoints to resume from; 0 means none.
    pub checkpoint_interval: usize,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            steps: 500,
            batch_size: 8,
            gradient_accumulation: 1,
            learning_rate: 2e-3,
            minimum_learning_rate: 2e-4,
            warmup_steps: 40,
            decay_steps: 0,
            schedule: Schedule::Cosine,
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-8,
            weight_decay: 0.1,
            gradient_clip: 1.0,
            evaluation_interval: 50,
            evaluation_windows: 32,
            final_evaluation_windows: 0,
            final_evaluation_stride: 0,
            early_stopping_patience: 0,
            sample_interval: 50,
            sample_prompt: String::new(),
            sample_tokens: 120,
            sample_temperature: 0.8,
            checkpoint_interval: 100,
        }
    }
}

impl TrainingConfig {
    pub fn decay_steps(&self) -> usize {
        if self.decay_steps == 0 {
            self.steps
        } else {
            self.decay_steps
        }
    }

    pub fn validate(&self) -> Result<(), LabError> {
        whole("steps", self.steps, 1, 10_000_000)?;
        whole("batch_size", self.batch_size, 1, 4096)?;
        whole("gradient_accumulation", self.gradient_accumulation, 1, 4096)?;
        number("learning_rate", self.learning_rate, 0.0, 10.0)?;
        number(
            "minimum_learning_rate",
            self.minimum_learning_rate,
            0.0,
            10.0,
        )?;
        if self.minimum_learning_rate > self.learning_rate {
            return Err(LabError::config(
                "minimum_learning_rate",
                format!(
                    "the lowest rate {} is above the highest, {}",
                    self.minimum_learning_rate, self.learning_rate
                ),
                "Lower it, or raise learning_rate.",
            ));
        }
        number("beta1", self.beta1, 0.0, 0.999_999)?;
        number("beta2", self.beta2, 0.0, 0.999_999)?;
        number("epsilon", self.epsilon, f64::MIN_POSITIVE, 1.0)?;
        number("weight_decay", self.weight_decay, 0.0, 10.0)?;
        number("gradient_clip", self.gradient_clip, 0.0, 1e6)?;
        whole("sample_tokens", self.sample_tokens, 0, 100_000)?;
        number("sample_temperature", self.sample_temperature, 0.0, 100.0)
    }
}

impl DataConfig {
    pub fn validate(&self) -> Result<(), LabError> {
        number("validation_fraction", self.validation_fraction, 0.0, 0.9)
    }
}

/// A text as it came from a file, a paste or a drop: the one place where bytes become text.
pub fn text_from_bytes(bytes: Vec<u8>) -> Result<String, LabError> {
    let text = String::from_utf8(bytes).map_err(|error| {
        LabError::new(
            ErrorCode::InvalidUtf8,
            format!(
                "the text is not UTF-8: byte {} begins no valid character",
                error.utf8_error().valid_up_to()
            ),
            "Save the file as UTF-8 text.",
        )
        .at("data")
    })?;
    if text.is_empty() {
        return Err(LabError::new(
            ErrorCode::InvalidData,
            "the text is empty",
            "Give a text to train on.",
        )
        .at("data"));
    }
    Ok(text
        .strip_prefix('\u{feff}')
        .map(str::to_owned)
        .unwrap_or(text))
}

pub(crate) fn whole(field: &str, value: usize, low: usize, high: usize) -> Result<(), LabError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(LabError::config(
        field,
        format!("{field} is {value}"),
        format!("Use a whole number from {low} to {high}."),
    ))
}

pub(crate) fn number(field: &str, value: f64, low: f64, high: f64) -> Result<(), LabError> {
    if value.is_finite() && (low..=high).contains(&value) {
        return Ok(());
    }
    let low = if low == f64::MIN_POSITIVE {
        "just above 0".to_owned()
    } else {
        low.to_string()
    };
    Err(LabError::config(
        field,
        format!("{field} is {value}"),
        format!("Use a number from {low} to {high}."),
    ))
}
