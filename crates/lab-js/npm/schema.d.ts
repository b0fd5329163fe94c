// Written by make-types.mjs from schema.js.

export type Activation = "gelu" | "gelu_new" | "relu" | "swiglu";

/** The device of the computation. */
export type BackendChoice = "auto" | "cpu" | "wgpu";

/** The cutting of documents into chunks. */
export type ChunkConfig = {
  /** The boundaries at which documents are cut. Default: "structure". */
  method?: ChunkMethod;
  /** Tokens that a chunk repeats of the one before it; fewer than its size. As far as whole words, sentences or paragraphs allow. 0 or more tokens. Default: 20. */
  overlap?: number;
  /** Maximum number of tokens in a chunk, by the tokenizer in use. 1 to 1000000 tokens. Default: 200. */
  size?: number;
};

/** The boundaries at which a document is cut. */
export type ChunkMethod = "tokens" | "sentences" | "structure";

/** The data an experiment trains on. */
export type DataConfig = {
  /** Name of the built-in text, of the village's preset, or of the file that the user gave. Default: "". */
  name?: string;
  /** The source of the data. */
  source: DataSource;
  /** Share of the data that is never trained on: the end of a text, or rows that the seed chooses. 0 to 0.9. Default: 0.1. */
  validation_fraction?: number;
  /** Settings of the village that differ from the preset's. */
  village?: VillageSettings;
};

export type DataSource = "built_in" | "village" | "user";

/** Settings of `DpoStrategy`: direct preference optimisation (Rafailov et al. 2023), which needs neither a reward model nor samples. */
export type DpoConfig = {
  /** Preferences in a step. 1 to 4096. Default: 16. */
  batch_size?: number;
  /** Weight of the divergence from the reference: the larger, the nearer the policy stays. 0.000001 to 1000. Default: 0.1. */
  beta?: number;
  /** Assumed share of wrong preferences. 0 to 0.5. Default: 0. */
  label_smoothing?: number;
  /** Trains low-rank matrices on the frozen reference instead of all weights. */
  lora?: LoraConfig | null;
  /** Sequences that go through the model at once, two a preference; 0 is all of a step. Fewer need less memory and more time. No result changes by it beyond rounding. 0 to 8192. Default: 0. */
  micro_batch_size?: number;
  /** Treatment of a row of the data that cannot be used. Default: "stop". */
  on_error?: OnError;
  /** The optimiser of the policy. */
  optimizer?: OptimizerConfig;
  /** Preferences to learn from instead of the data's, such as {"prompt": "…", "chosen": "…", "rejected": "…"}, one a line. Compare answers of a model below to collect some. */
  preferences?: Array<PreferenceExample>;
  /** Evaluations, samples and checkpoints during the training. */
  report?: ReportConfig;
  /** Sampling of the answers for samples and evaluations. */
  rollout?: RolloutConfig;
  /** Updates of the weights. 1 to 1000000. Default: 120. */
  steps?: number;
};

/** The embedder, which turns texts into vectors. */
export type EmbedderKind = "hashed" | "model" | "encoder";

/** A model behind the network, asked through OpenAI's chat completions. Its key is not a setting: natively it stands in an environment variable, in the page it is typed. */
export type EndpointConfig = {
  /** Address before `/chat/completions`. It must allow requests from this page (CORS). Default: "http://127.0.0.1:8000/v1". */
  base_url?: string;
  /** The environment variable that the terminal program takes the key from; in the page it is typed. Empty for an endpoint without a key. Default: "". */
  key_variable?: string;
  /** The endpoint's name for the model. Default: "default". */
  model?: string;
  /** Attempts after the first, if another may succeed. 0 to 10. Default: 3. */
  retries?: number;
  /** Seconds after which an attempt without a whole answer is given up. 0.1 to 3600 s. Default: 60. */
  timeout?: number;
};

/** Settings of `FineTuningStrategy`. The model and its tokenizer come from the run that it starts from. */
export type FineTuningConfig = {
  /** Low-rank adapters. */
  lora?: LoraConfig;
  /** The weights that are trained, and the form of the base. Default: "lora". */
  method?: FineTuningMethod;
  /** Treatment of a row of the data that cannot be used. Default: "stop". */
  on_error?: OnError;
  /** Concatenates the examples of a batch, to compute nothing for padding. No example sees another. Default: false. */
  packing?: boolean;
  /** Weight in the loss of text the base was pretrained on, so that it is not forgotten. Rehearsal, where the data have such text: in the village. The loss of a step is `1 - replay` times the mean loss of the examples' learned tokens plus `replay` times the mean loss of the replayed tokens. The `batch_size` examples are divided so that every token weighs nearly the same, with at least one of each. 0 to 0.9. Default: 0. */
  replay?: number;
  /** Treatment of an example that does not fit the context. Default: "drop". */
  too_long?: TooLong;
  /** Settings of the training. By default with a learning rate of 2e-4 and without weight decay, as in TRL's examples with LoRA and in QLoRA (Dettmers et al. 2023); for all weights TRL's `SFTConfig` has 2e-5. Small models need larger ones. */
  training?: TrainingConfig;
};

/** The weights that are trained, and the form of the base. */
export type FineTuningMethod = "full" | "lora" | "qlora";

/** Settings of a text to write. */
export type GenerateRequest = {
  /** Maximum number of tokens to write. The limit is higher than any context; a typing error would otherwise be written for hours. 0 to 1000000 tokens. Default: 200. */
  max_tokens?: number;
  /** Only tokens with at least this share of the likeliest one's probability may be drawn; 0 is all. 0 to 1. Default: 0. */
  min_p?: number;
  /** Text that is continued. Default: "". */
  prompt?: string;
  /** Above 1, tokens that are already in the text become less likely. Above 0 to 100. Default: 1. */
  repetition_penalty?: number;
  /** Decides the draws. 0 or more. Default: 0. */
  seed?: number;
  /** The text ends before any of these. */
  stop?: Array<string>;
  /** 0 takes the likeliest token every time; 1 is the model's own distribution. 0 to 100. Default: 0.8. */
  temperature?: number;
  /** Only this many of the likeliest tokens may be drawn; 0 is all. 0 or more. Default: 0. */
  top_k?: number;
  /** Only the likeliest tokens that together have this probability may be drawn; 1 is all. Above 0 to 1. Default: 1. */
  top_p?: number;
};

/** Settings of `GrpoStrategy`: group relative policy optimisation (Shao et al. 2024). Answers to one prompt are compared with each other, so no value has to be learned. */
export type GrpoConfig = {
  /** Limit of the change of a token's probability in an update. 0.000001 to 10. Default: 0.2. */
  clip?: number;
  /** Times that each answer is learned from. 1 to 1000. Default: 2. */
  epochs?: number;
  /** Answers to each prompt, compared with each other. 2 to 4096. Default: 8. */
  group?: number;
  /** The place of the penalty for the divergence from the reference. Default: "loss_k3". */
  kl?: KlPlacement;
  /** Cost of a nat of divergence from the reference. 0 to 1000. Default: 0.05. */
  kl_coefficient?: number;
  /** Trains low-rank matrices on the frozen reference instead of all weights. */
  lora?: LoraConfig | null;
  /** The way from the losses of tokens to the loss of a minibatch. Default: "dapo". */
  loss_type?: GrpoLossType;
  /** The update ends at this divergence from the policy that sampled; 0 is never. In nats a token: half the mean squared log ratio. 0 to 1000 nats. Default: 0.1. */
  maximum_kl?: number;
  /** Answers that go through the model at once; 0 is a minibatch. Fewer need less memory and more time. No result changes by it beyond rounding. 0 to 65536. Default: 0. */
  micro_batch_size?: number;
  /** Parts of the answers that are learned from one after the other; a divisor of prompts · group. 1 or more. Default: 4. */
  minibatches?: number;
  /** Treatment of a row of the data that cannot be used. Default: "stop". */
  on_error?: OnError;
  /** The optimiser of the policy. */
  optimizer?: OptimizerConfig;
  /** Preferences to learn from instead of the data's, such as {"prompt": "…", "chosen": "…", "rejected": "…"}, one a line. Compare answers of a model below to collect some. */
  preferences?: Array<PreferenceExample>;
  /** Prompts of an update. 1 to 65536. Default: 8. */
  prompts?: number;
  /** Evaluations, samples and checkpoints during the training. */
  report?: ReportConfig;
  /** The source of an answer's reward. */
  reward?: RewardConfig;
  /** The reward model. */
  reward_model?: RewardModelConfig;
  /** Sampling of the answers. */
  rollout?: RolloutConfig;
  /** The divisor of advantages. Default: "group". */
  scale_rewards?: ScaleRewards;
  /** Updates, each on answers sampled for it. 1 to 1000000. Default: 60. */
  steps?: number;
};

/** The way from the losses of tokens to the loss of a minibatch; names and definitions as in TRL's `GRPOConfig`. */
export type GrpoLossType = "grpo" | "bnpo" | "dr_grpo" | "dapo";

/** The place of the penalty for the divergence from the reference. */
export type KlPlacement = "loss_k3" | "loss_k2" | "reward";

/** Low-rank adapters: y = W x + s·B(A·dropout(x)), s = alpha / rank. */
export type LoraConfig = {
  /** Strength of the adapter; it counts alpha / rank. 0 to 1000000. Default: 16. */
  alpha?: number;
  /** Learns direction and size of the weights apart (Liu et al. 2024). Default: false. */
  dora?: boolean;
  /** Share of an adapter's input dropped at random in training. 0 to 0.95. Default: 0. */
  dropout?: number;
  /** Columns of A and rows of B: how much an adapter can learn. 1 to 4096. Default: 8. */
  rank?: number;
  /** Divides by the rank's square root, which suits large ranks (Kalajdzievski 2023). Default: false. */
  rslora?: boolean;
  /** Linear layers to adapt, such as q_proj, v_proj; empty is all but the head. Each is a module's path in the model's file, an end of it, or either with `*` for anything. */
  targets?: Array<string>;
};

/** Shape of a decoder-only transformer. The vocabulary comes from the tokenizer. */
export type ModelConfig = {
  /** The function between the matrices of the MLP. Default: "gelu". */
  activation?: Activation;
  /** Biases in the attention's linear layers, if they differ. */
  attention_bias?: boolean | null;
  /** A constant added in linear layers and LayerNorm. Default: false. */
  bias?: boolean;
  /** Maximum number of tokens that the model reads at once. 1 to 32768 tokens. Default: 64. */
  context?: number;
  /** Share of activations and of attention probabilities dropped at random in training. 0 to 0.95. Default: 0. */
  dropout?: number;
  /** Size of a head; 0 is the width divided by the heads. 0 to 16384. Default: 0. */
  head_width?: number;
  /** Attention heads in a block; they divide the width if the head width is 0. 1 to 1024. Default: 4. */
  heads?: number;
  /** Inner size of the MLP; 0 is four times the width. 0 to 131072. Default: 0. */
  hidden_width?: number;
  /** Heads for keys and values, which several query heads share (grouped-query attention); 0 is as many as heads. 0 to 1024. Default: 0. */
  key_value_heads?: number;
  /** Transformer blocks, one after the other. 1 to 128. Default: 4. */
  layers?: number;
  /** Biases in the MLP's linear layers, if they differ. */
  mlp_bias?: boolean | null;
  /** Keeps activations at one scale. Default: "layer_norm". */
  norm?: Norm;
  /** Keeps the normalisation from dividing by 0. Above 0 to 1. Default: 0.00001. */
  norm_epsilon?: number;
  /** The encoding of the order of tokens. Default: "learned". */
  position?: Position;
  /** Longest wavelength of rotary positions. 1 to 1000000000000. Default: 10000. */
  rope_theta?: number;
  /** The output layer reuses the token embedding, transposed. Default: true. */
  tied_head?: boolean;
  /** Numbers that describe one token. 1 to 16384. Default: 64. */
  width?: number;
};

export type Norm = "layer_norm" | "rms_norm";

/** Treatment of a row of the data that cannot be used. */
export type OnError = "stop" | "skip";

/** AdamW and the schedule of the rate: a linear warm-up, then a straight line down to the minimum rate. */
export type OptimizerConfig = {
  /** Memory of AdamW's mean. 0 to 0.999999. Default: 0.9. */
  beta1?: number;
  /** Memory of AdamW's variance. 0 to 0.999999. Default: 0.99. */
  beta2?: number;
  /** Keeps AdamW from dividing by 0. Above 0 to 1. Default: 1e-8. */
  epsilon?: number;
  /** Largest global norm of the gradient; 0 is no limit. 0 to 1000000. Default: 1. */
  gradient_clip?: number;
  /** The maximum learning rate, reached after the warm-up. The default is that of TRL's trainers: 3e-6 (`PPOConfig`), 1e-6 (`GRPOConfig`, `DPOConfig`), 1e-4 for a reward model (`RewardConfig`). Adapters and small models need larger ones: TRL's examples with LoRA have ten times as much. 0 to 10. Default: 0.000001. */
  learning_rate?: number;
  /** Learning rate at the end of the schedule. 0 to 10. Default: 0. */
  minimum_learning_rate?: number;
  /** Steps in which the rate rises from 0. 0 or more. Default: 0. */
  warmup_steps?: number;
  /** Pull of matrices and embeddings towards 0. 0 to 10. Default: 0. */
  weight_decay?: number;
};

export type Position = "learned" | "rope";

/** Proximal policy optimisation (Schulman et al. 2017) with a penalty on the divergence from a reference. */
export type PpoConfig = {
  /** Answers of an update. 2 to 65536. Default: 64. */
  batch_size?: number;
  /** Limit of the change of a token's probability in an update. 0.000001 to 10. Default: 0.2. */
  clip?: number;
  /** Reward for staying undecided. 0 to 1000. Default: 0. */
  entropy_coefficient?: number;
  /** Times that each answer is learned from. 1 to 1000. Default: 4. */
  epochs?: number;
  /** Weight of later rewards. 0 to 1. Default: 1. */
  gamma?: number;
  /** Cost of a nat of divergence from the reference. 0 to 1000. Default: 0.05. */
  kl_coefficient?: number;
  /** Answers over which the coefficient adapts. 1 to 1000000000000. Default: 10000. */
  kl_horizon?: number;
  /** Nats an answer towards which the coefficient adapts; empty keeps it fixed. 0.000001 to 1000000 nats. */
  kl_target?: number | null;
  /** Between the value's guess (0) and the rewards themselves (1). 0 to 1. Default: 0.95. */
  lambda?: number;
  /** The update ends at this divergence from the policy that sampled; 0 is never. In nats a token: half the mean squared log ratio. 0 to 1000 nats. Default: 0.1. */
  maximum_kl?: number;
  /** Answers that go through the model at once; 0 is a minibatch. Fewer need less memory and more time. No result changes by it beyond rounding. 0 to 65536. Default: 0. */
  micro_batch_size?: number;
  /** Parts of the batch that are learned from one after the other; a divisor of it. 1 or more. Default: 4. */
  minibatches?: number;
  /** The optimiser of the policy. */
  optimizer?: OptimizerConfig;
  /** Updates, each on answers sampled for it. 1 to 1000000. Default: 60. */
  steps?: number;
  /** Limit of the change of a value in an update. 0.000001 to 1000000. Default: 0.2. */
  value_clip?: number;
  /** Weight of the value's loss. 0 to 1000. Default: 0.1. */
  value_coefficient?: number;
  /** Divides rewards by their deviation, keeping their mean. Default: false. */
  whiten_rewards?: boolean;
};

/** Two responses to a prompt, of which one was preferred. */
export type PreferenceExample = {
  /** The better response. */
  chosen: string;
  /** How much better the chosen one is. */
  margin?: number | null;
  /** The text that both answer. */
  prompt: string;
  /** The other response. */
  rejected: string;
};

/** A village of a given size. */
export type Preset = "hamlet" | "village" | "town";

/** Settings of `PretrainingStrategy`. */
export type PretrainingConfig = {
  /** Shape of the model. */
  model?: ModelConfig;
  /** Pieces that the text is cut into. Default: "character". */
  tokenizer?: TokenizerKind;
  /** Settings of the training. */
  training?: TrainingConfig;
  /** Pieces that are learned from the text, at most. 257 to 262144. Default: 1024. */
  vocabulary?: number;
};

/** Settings of `RagStrategy`: the index of the documents, and the answers from them. */
export type RagConfig = {
  /** Maximum number of tokens of an answer; passages are left out until question and answer fit the context. 1 to 10000 tokens. Default: 40. */
  answer_tokens?: number;
  /** The cutting of documents into chunks. */
  chunking?: ChunkConfig;
  /** Weight of relevance against variety of the passages: 1 is relevance alone, 0 is variety alone. Maximal marginal relevance (Carbonell and Goldstein 1998). 0 to 1. Default: 1. */
  diversity_balance?: number;
  /** The embedder, which turns passages and questions into vectors. Default: "hashed". */
  embedder?: EmbedderKind;
  /** Folder of the sentence encoder; in the page, its address. A Hugging Face folder of the BERT family. Files in the folder `encoder/` of the run that the strategy starts from are used first. Default: "". */
  encoder?: string;
  /** An OpenAI-compatible endpoint answers instead of a model of the lab: questions and passages are sent to it. */
  endpoint?: EndpointConfig | null;
  /** Number of passages by which retrieval is measured, e.g. in `ndcg@10`. 1 to 1000. Default: 10. */
  evaluation_depth?: number;
  /** With fewer chunks than this, the search compares every vector; with more, it uses a graph. 2 to 1000000. Default: 4096. */
  exact_below?: number;
  /** Condition on the metadata of the documents that are searched, as JSON; empty is no condition. E.g. `{"equals": {"key": "year", "value": 1958}}`; the others are `one_of`, `range`, `exists`, `all`, `any` and `not`. Default: "". */
  filter?: string;
  /** The ranking of passages. Default: "hybrid". */
  method?: RetrievalMethod;
  /** Text before each passage, e.g. "passage: " for E5; empty is the one that the encoder's files name. Default: "". */
  passage_prefix?: string;
  /** Passages that an answer is written from. 1 to 100. Default: 3. */
  passages?: number;
  /** Text of the request, with {passages} and {question} in it; empty is a line for each of them. Default: "". */
  prompt_template?: string;
  /** Text before each question, e.g. "query: " for E5; empty is the one that the encoder's files name. Default: "". */
  query_prefix?: string;
  /** Questions that are answered when the index is there, one a line. */
  questions?: Array<string>;
  /** Minimum score of a passage; without any passage there is no answer. 0 is no limit. By the scale of the method. 0 to 1000000. Default: 0. */
  threshold?: number;
};

/** Evaluations, samples and checkpoints during the training of the policy. */
export type ReportConfig = {
  /** Steps between states from which a run can be continued; 0 is none. 0 or more steps. Default: 20. */
  checkpoint_interval?: number;
  /** Steps between evaluations on held-out prompts; 0 is before the first and after the last. 0 or more steps. Default: 0. */
  evaluation_interval?: number;
  /** Held-out prompts that are answered in an evaluation; 0 is all. 0 or more. Default: 200. */
  evaluation_prompts?: number;
  /** Steps between samples; 0 is none. 0 or more steps. Default: 10. */
  sample_interval?: number;
  /** Answers shown each time. 0 or more. Default: 2. */
  samples?: number;
};

/** The ranking of passages. */
export type RetrievalMethod = "dense" | "bm25" | "hybrid";

/** The source of an answer's reward. */
export type RewardConfig = {
  kind: "model";
} | {
  kind: "pattern";
  /** A regular expression, such as please|thank you. */
  pattern: string;
  /** Reward for each match of the pattern. -1000000 to 1000000. Default: 1. */
  weight?: number;
} | {
  kind: "length";
  /** The length that is rewarded most. 1 to 100000 tokens. */
  tokens: number;
} | {
  kind: "function";
};

/** Settings of the reward model, which learns from preferences before the policy does (Stiennon et al. 2020). */
export type RewardModelConfig = {
  /** Preferences in a step of the reward model. 1 to 4096. Default: 16. */
  batch_size?: number;
  /** Weight of the squared sum of both rewards, which keeps them around 0. 0 to 1000. Default: 0.01. */
  centre?: number;
  /** Steps between evaluations on held-out preferences; 0 is at the end only. 0 or more steps. Default: 20. */
  evaluation_interval?: number;
  /** Adapts the reward model by low-rank matrices instead of training all of it. */
  lora?: LoraConfig | null;
  /** Sequences that go through the model at once, two a preference; 0 is all of a step. Fewer need less memory and more time. No result changes by it beyond rounding, unless an adapter drops out: what it drops is drawn for each pass. 0 to 8192. Default: 0. */
  micro_batch_size?: number;
  /** Number of the reference policy's answers by which mean and deviation are measured. 2 to 100000. Default: 128. */
  normalisation_samples?: number;
  /** Brings rewards to mean 0 and deviation 1 over answers of the reference policy. Default: true. */
  normalise?: boolean;
  /** The optimiser of the reward model. */
  optimizer?: OptimizerConfig;
  /** Updates of the reward model, before the policy learns. 1 to 1000000. Default: 120. */
  steps?: number;
};

/** Settings of `RlhfStrategy`. Model and tokenizer come from the run that it starts from, which is also the reference. */
export type RlhfConfig = {
  /** Trains low-rank matrices on the frozen reference instead of all weights. */
  lora?: LoraConfig | null;
  /** Treatment of a row of the data that cannot be used. Default: "stop". */
  on_error?: OnError;
  /** The improvement of the policy. */
  ppo?: PpoConfig;
  /** Preferences to learn from instead of the data's, such as {"prompt": "…", "chosen": "…", "rejected": "…"}, one a line. Compare answers of a model below to collect some. */
  preferences?: Array<PreferenceExample>;
  /** Evaluations, samples and checkpoints during the training. */
  report?: ReportConfig;
  /** The source of an answer's reward. */
  reward?: RewardConfig;
  /** The reward model. */
  reward_model?: RewardModelConfig;
  /** Sampling of the answers. */
  rollout?: RolloutConfig;
};

/** Settings of sampling. There are no filters: the policy that is improved is the one that samples. */
export type RolloutConfig = {
  /** Taken off the score of an answer that does not end. 0 to 1000000. Default: 1. */
  missing_eos_penalty?: number;
  /** Tokens of an answer, at most. 1 to 32768 tokens. Default: 40. */
  response_tokens?: number;
  /** A text of one token that ends an answer; empty is the tokenizer's own, if it has one. Default: "". */
  stop?: string;
  /** Divides the logits of policy and reference alike; a higher temperature samples more freely. A temperature of 0 has no log-probabilities. 0.001 to 100. Default: 1. */
  temperature?: number;
};

/** The divisor of advantages; names and definitions as in TRL's `GRPOConfig`. */
export type ScaleRewards = "group" | "batch" | "none";

export type Schedule = "cosine" | "linear" | "constant";

/** One strategy of an experiment. The strategy itself reads `config`, so a new strategy changes nothing here. */
export type StrategyConfig = {
  /** Settings of the strategy. */
  config?: unknown;
  /** Name of the strategy of this experiment whose model this one starts from. */
  from?: string | null;
  /** Unique within the experiment; metrics carry it. */
  name: string;
  /** A registered kind of strategy, e.g. `pretraining`. */
  strategy: string;
};

export type TokenizerKind = "character" | "byte" | "bpe";

/** Treatment of an example that does not fit the model's context. */
export type TooLong = "drop" | "truncate" | "error";

/** Settings of the training of a model. The defaults are the ones of the quick start. */
export type TrainingConfig = {
  /** Sequences in a micro-batch. 1 to 4096. Default: 8. */
  batch_size?: number;
  /** Memory of AdamW's mean. 0 to 0.999999. Default: 0.9. */
  beta1?: number;
  /** Memory of AdamW's variance. 0 to 0.999999. Default: 0.99. */
  beta2?: number;
  /** Steps between states from which a run can be continued; 0 is none. 0 or more steps. Default: 100. */
  checkpoint_interval?: number;
  /** Step at which the schedule ends; 0 is the last. 0 or more. Default: 0. */
  decay_steps?: number;
  /** Evaluations without a better loss before training stops; 0 is never. 0 or more. Default: 0. */
  early_stopping_patience?: number;
  /** Keeps AdamW from dividing by 0. Above 0 to 1. Default: 1e-8. */
  epsilon?: number;
  /** Steps between evaluations on held-out data; 0 is at the end only. 0 or more steps. Default: 50. */
  evaluation_interval?: number;
  /** Pieces of held-out text in an evaluation while training, the same ones every time; 0 is all. 0 or more. Default: 32. */
  evaluation_windows?: number;
  /** Tokens from one of those windows to the next, at most the context; 0 is the context: no windows overlap. With a smaller stride, each token is predicted from more text before it. 0 or more tokens. Default: 0. */
  final_evaluation_stride?: number;
  /** Windows of the evaluation at the end, whose loss is the result; 0 is all. 0 or more. Default: 0. */
  final_evaluation_windows?: number;
  /** Micro-batches whose gradients are summed before an update. 1 to 4096. Default: 1. */
  gradient_accumulation?: number;
  /** Largest global norm of the gradient; 0 is no limit. 0 to 1000000. Default: 1. */
  gradient_clip?: number;
  /** The maximum learning rate, reached after the warm-up. 0 to 10. Default: 0.002. */
  learning_rate?: number;
  /** Learning rate at the end of the schedule. 0 to 10. Default: 0.0002. */
  minimum_learning_rate?: number;
  /** Steps between samples; 0 is at the end only. 0 or more steps. Default: 50. */
  sample_interval?: number;
  /** Text at the beginning of samples; \n is a new line. Empty is a new line too. If the text has no new line, empty is the text's first character. Default: "". */
  sample_prompt?: string;
  /** A higher temperature draws samples more freely; 0 takes the likeliest token every time. 0 to 100. Default: 0.8. */
  sample_temperature?: number;
  /** Tokens in a sample. 0 to 100000 tokens. Default: 120. */
  sample_tokens?: number;
  /** The decrease of the learning rate after the warm-up. Default: "cosine". */
  schedule?: Schedule;
  /** Updates of the weights. 1 to 10000000. Default: 500. */
  steps?: number;
  /** Steps in which the rate rises from 0. 0 or more. Default: 40. */
  warmup_steps?: number;
  /** Pull of matrices and embeddings towards 0. Decoupled (Loshchilov and Hutter 2019). 0 to 10. Default: 0.1. */
  weight_decay?: number;
};

/** The settings that define a village. The same settings give the same bytes everywhere. */
export type VillageSettings = {
  /** Number of answers to each trained question, each in another manner. 1 to 100. Default: 4. */
  answers_per_question?: number;
  /** Share of the passages beside the right one that are about a person of the same first name or surname: the higher, the harder. 0 to 1. Default: 0.25. */
  confusable?: number;
  /** Texts to pretrain on. 100 to 500000. Default: 16000. */
  documents?: number;
  /** Different first names. With fewer than people, some share one. 8 to 120. Default: 24. */
  first_names?: number;
  /** Texts of the same language that are held out. 10 to 50000. Default: 300. */
  held_out_documents?: number;
  /** Share of the people about whom no question is ever trained. 0.05 to 0.6. Default: 0.25. */
  held_out_people?: number;
  /** Share of the facts about the others that are never asked in training. 0 to 0.6. Default: 0.15. */
  held_out_questions?: number;
  /** Pairs of answers to held-out questions. 0 to 20000. Default: 150. */
  judged_preferences?: number;
  /** Held-out questions of the same kind. 0 to 20000. Default: 150. */
  judged_reading?: number;
  /** People whom no model is trained on and whom only the documents describe. 4 to 2000. Default: 40. */
  new_people?: number;
  /** The maximum number of passages before a question. 1 to 8. Default: 3. */
  passages?: number;
  /** People who live there and are written about. 8 to 2000. Default: 24. */
  people?: number;
  /** Share of the preference pairs whose order is wrong, as human judgement often is. 0 to 0.5. Default: 0. */
  preference_noise?: number;
  /** Pairs of answers, one better than the other. 0 to 200000. Default: 600. */
  preference_pairs?: number;
  /** The preset of the settings that are left out. Default: "hamlet". */
  preset?: Preset;
  /** Questions about each of them, one for each fact at most. 1 to 7. Default: 5. */
  questions_per_new_person?: number;
  /** Training examples whose answer stands in passages that come with the question. 0 to 200000. Default: 6000. */
  reading_pairs?: number;
  /** Decides every choice. 0 to 9007199254740991. Default: 0. */
  seed?: number;
  /** Shops, each in a street and each selling one thing. 2 to 32. Default: 6. */
  shops?: number;
  /** Different surnames. 8 to 120. Default: 24. */
  surnames?: number;
  /** Share of these texts about travellers, whom the model must not remember: they teach it to read. More of them are harder to learn. 0 to 1. Default: 0.1. */
  travellers?: number;
  /** Share of the reading examples whose passages do not hold the answer. 0 to 0.9. Default: 0.2. */
  unknown_share?: number;
  /** Different streets, pets, trades, foods, colours and goods, of each kind so many. 12 to 32. Default: 16. */
  values?: number;
};

/** A named set of strategies that share data, seed and evaluation. */
export type ExperimentConfig = {
  /** The device of the computation. Default: "auto". */
  backend?: BackendChoice;
  /** The data it trains on. */
  data: DataConfig;
  /** Its purpose. Default: "". */
  description?: string;
  /** The name of the experiment. */
  name: string;
  /** Version of the layout of experiments. 0 or more. Default: 1. */
  schema?: number;
  /** The same seed gives the same run. It decides initial weights, batches, dropout and samples. 0 to 9007199254740991. Default: 1337. */
  seed?: number;
  /** Its strategies. */
  strategies: Array<StrategyConfig>;
};

declare const schema: { $defs: Record<string, unknown> } & Record<string, unknown>;
export default schema;
