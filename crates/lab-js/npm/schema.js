// Written by `lab schema`.
export default {
  "$defs": {
    "Activation": {
      "oneOf": [
        {
          "const": "gelu",
          "description": "x·Φ(x), by the error function.",
          "title": "GELU"
        },
        {
          "const": "gelu_new",
          "description": "The form with tanh, which GPT-2 uses.",
          "title": "GELU, tanh form"
        },
        {
          "const": "relu",
          "description": "max(x, 0).",
          "title": "ReLU"
        },
        {
          "const": "swiglu",
          "description": "silu(gate)·up: three matrices instead of two (Shazeer 2020).",
          "title": "SwiGLU (Llama)"
        }
      ]
    },
    "BackendChoice": {
      "description": "The device of the computation.",
      "oneOf": [
        {
          "const": "auto",
          "description": "A usable GPU if there is one, else the CPU (natively: the CPU).",
          "title": "Auto"
        },
        {
          "const": "cpu",
          "title": "CPU"
        },
        {
          "const": "wgpu",
          "description": "WebGPU in a browser; Vulkan, Metal or DX12 natively, if the program was built with it.",
          "title": "WebGPU"
        }
      ]
    },
    "ChunkConfig": {
      "additionalProperties": false,
      "description": "The cutting of documents into chunks.",
      "properties": {
        "method": {
          "$ref": "#/$defs/ChunkMethod",
          "default": "structure",
          "description": "The boundaries at which documents are cut.",
          "title": "Cut"
        },
        "overlap": {
          "default": 20,
          "description": "Tokens that a chunk repeats of the one before it; fewer than its size.\n\nAs far as whole words, sentences or paragraphs allow.",
          "minimum": 0,
          "title": "Overlap",
          "type": "integer",
          "unit": "tokens"
        },
        "size": {
          "default": 200,
          "description": "Maximum number of tokens in a chunk, by the tokenizer in use.",
          "maximum": 1000000,
          "minimum": 1,
          "title": "Chunk size",
          "type": "integer",
          "unit": "tokens"
        }
      },
      "type": "object"
    },
    "ChunkMethod": {
      "description": "The boundaries at which a document is cut.",
      "oneOf": [
        {
          "const": "tokens",
          "description": "Anywhere between words.",
          "title": "Between words"
        },
        {
          "const": "sentences",
          "description": "Between sentences, if a sentence is not too long.",
          "title": "Between sentences"
        },
        {
          "const": "structure",
          "description": "At Markdown headings, and within a section between paragraphs.",
          "title": "At headings and paragraphs"
        }
      ]
    },
    "DataConfig": {
      "additionalProperties": false,
      "description": "The data an experiment trains on.",
      "properties": {
        "name": {
          "default": "",
          "description": "Name of the built-in text, of the village's preset, or of the file that the user gave.",
          "title": "Name",
          "type": "string"
        },
        "source": {
          "$ref": "#/$defs/DataSource",
          "description": "The source of the data.",
          "title": "Source"
        },
        "validation_fraction": {
          "default": 0.1,
          "description": "Share of the data that is never trained on: the end of a text, or rows that the seed chooses.",
          "maximum": 0.9,
          "minimum": 0,
          "title": "Held out",
          "type": "number"
        },
        "village": {
          "$ref": "#/$defs/VillageSettings",
          "default": {},
          "description": "Settings of the village that differ from the preset's.",
          "title": "Village"
        }
      },
      "required": [
        "source"
      ],
      "type": "object"
    },
    "DataSource": {
      "oneOf": [
        {
          "const": "built_in",
          "description": "A text that comes with the lab.",
          "title": "Built in"
        },
        {
          "const": "village",
          "description": "The small world made from a seed: text, questions, preferences and documents of known truth.",
          "title": "Village"
        },
        {
          "const": "user",
          "description": "A text that the user supplies: pasted, dropped, or named with `--data`.",
          "title": "User"
        }
      ]
    },
    "DpoConfig": {
      "additionalProperties": false,
      "description": "Settings of `DpoStrategy`: direct preference optimisation (Rafailov et al. 2023), which needs neither a reward model nor samples.",
      "properties": {
        "batch_size": {
          "default": 16,
          "description": "Preferences in a step.",
          "maximum": 4096,
          "minimum": 1,
          "title": "Batch",
          "type": "integer"
        },
        "beta": {
          "default": 0.1,
          "description": "Weight of the divergence from the reference: the larger, the nearer the policy stays.",
          "maximum": 1000,
          "minimum": 1e-6,
          "title": "Beta",
          "type": "number"
        },
        "label_smoothing": {
          "default": 0.0,
          "description": "Assumed share of wrong preferences.",
          "maximum": 0.5,
          "minimum": 0,
          "title": "Wrong labels",
          "type": "number"
        },
        "lora": {
          "anyOf": [
            {
              "$ref": "#/$defs/LoraConfig"
            },
            {
              "type": "null"
            }
          ],
          "description": "Trains low-rank matrices on the frozen reference instead of all weights.",
          "title": "Adapter only"
        },
        "micro_batch_size": {
          "default": 0,
          "description": "Sequences that go through the model at once, two a preference; 0 is all of a step. Fewer need less memory and more time.\n\nNo result changes by it beyond rounding.",
          "maximum": 8192,
          "minimum": 0,
          "title": "Micro-batch",
          "type": "integer"
        },
        "on_error": {
          "$ref": "#/$defs/OnError",
          "default": "stop",
          "description": "Treatment of a row of the data that cannot be used.",
          "title": "Bad rows"
        },
        "optimizer": {
          "$ref": "#/$defs/OptimizerConfig",
          "default": {
            "beta1": 0.9,
            "beta2": 0.99,
            "epsilon": 1e-8,
            "gradient_clip": 1.0,
            "learning_rate": 1e-6,
            "minimum_learning_rate": 0.0,
            "warmup_steps": 0,
            "weight_decay": 0.0
          },
          "description": "The optimiser of the policy.",
          "title": "Optimizer"
        },
        "preferences": {
          "default": [],
          "description": "Preferences to learn from instead of the data's, such as {\"prompt\": \"…\", \"chosen\": \"…\", \"rejected\": \"…\"}, one a line. Compare answers of a model below to collect some.",
          "items": {
            "$ref": "#/$defs/PreferenceExample"
          },
          "title": "Collected pairs",
          "type": "array"
        },
        "report": {
          "$ref": "#/$defs/ReportConfig",
          "default": {
            "checkpoint_interval": 20,
            "evaluation_interval": 0,
            "evaluation_prompts": 200,
            "sample_interval": 10,
            "samples": 2
          },
          "description": "Evaluations, samples and checkpoints during the training.",
          "title": "Report"
        },
        "rollout": {
          "$ref": "#/$defs/RolloutConfig",
          "default": {
            "missing_eos_penalty": 1.0,
            "response_tokens": 40,
            "stop": "",
            "temperature": 1.0
          },
          "description": "Sampling of the answers for samples and evaluations.",
          "title": "Rollout"
        },
        "steps": {
          "default": 120,
          "description": "Updates of the weights.",
          "maximum": 1000000,
          "minimum": 1,
          "title": "Steps",
          "type": "integer"
        }
      },
      "type": "object"
    },
    "EmbedderKind": {
      "description": "The embedder, which turns texts into vectors.",
      "oneOf": [
        {
          "const": "hashed",
          "description": "Counts of hashed words and parts of words: needs no model.",
          "title": "Hashed words"
        },
        {
          "const": "model",
          "description": "The mean of the hidden states of the model that the strategy starts from.",
          "title": "The base model"
        },
        {
          "const": "encoder",
          "description": "A pretrained sentence encoder.",
          "title": "A sentence encoder"
        }
      ]
    },
    "EndpointConfig": {
      "additionalProperties": false,
      "description": "A model behind the network, asked through OpenAI's chat completions.\n\nIts key is not a setting: natively it stands in an environment variable, in the page it is typed.",
      "properties": {
        "base_url": {
          "default": "http://127.0.0.1:8000/v1",
          "description": "Address before `/chat/completions`. It must allow requests from this page (CORS).",
          "title": "Address",
          "type": "string"
        },
        "key_variable": {
          "default": "",
          "description": "The environment variable that the terminal program takes the key from; in the page it is typed.\n\nEmpty for an endpoint without a key.",
          "title": "Key's variable",
          "type": "string"
        },
        "model": {
          "default": "default",
          "description": "The endpoint's name for the model.",
          "title": "Model",
          "type": "string"
        },
        "retries": {
          "default": 3,
          "description": "Attempts after the first, if another may succeed.",
          "maximum": 10,
          "minimum": 0,
          "title": "Further tries",
          "type": "integer"
        },
        "timeout": {
          "default": 60.0,
          "description": "Seconds after which an attempt without a whole answer is given up.",
          "maximum": 3600,
          "minimum": 0.1,
          "title": "Time limit",
          "type": "number",
          "unit": "s"
        }
      },
      "type": "object"
    },
    "FineTuningConfig": {
      "additionalProperties": false,
      "description": "Settings of `FineTuningStrategy`. The model and its tokenizer come from the run that it starts from.",
      "properties": {
        "lora": {
          "$ref": "#/$defs/LoraConfig",
          "default": {
            "alpha": 16.0,
            "dora": false,
            "dropout": 0.0,
            "rank": 8,
            "rslora": false,
            "targets": []
          },
          "description": "Low-rank adapters.",
          "title": "LoRA"
        },
        "method": {
          "$ref": "#/$defs/FineTuningMethod",
          "default": "lora",
          "description": "The weights that are trained, and the form of the base.",
          "title": "Method"
        },
        "on_error": {
          "$ref": "#/$defs/OnError",
          "default": "stop",
          "description": "Treatment of a row of the data that cannot be used.",
          "title": "Bad rows"
        },
        "packing": {
          "default": false,
          "description": "Concatenates the examples of a batch, to compute nothing for padding.\n\nNo example sees another.",
          "title": "Packing",
          "type": "boolean"
        },
        "replay": {
          "default": 0.0,
          "description": "Weight in the loss of text the base was pretrained on, so that it is not forgotten.\n\nRehearsal, where the data have such text: in the village. The loss of a step is `1 - replay` times the mean loss of the examples' learned tokens plus `replay` times the mean loss of the replayed tokens. The `batch_size` examples are divided so that every token weighs nearly the same, with at least one of each.",
          "maximum": 0.9,
          "minimum": 0,
          "title": "Replay",
          "type": "number"
        },
        "too_long": {
          "$ref": "#/$defs/TooLong",
          "default": "drop",
          "description": "Treatment of an example that does not fit the context.",
          "title": "Too long"
        },
        "training": {
          "$ref": "#/$defs/TrainingConfig",
          "default": {
            "batch_size": 8,
            "beta1": 0.9,
            "beta2": 0.99,
            "checkpoint_interval": 100,
            "decay_steps": 0,
            "early_stopping_patience": 0,
            "epsilon": 1e-8,
            "evaluation_interval": 50,
            "evaluation_windows": 32,
            "final_evaluation_stride": 0,
            "final_evaluation_windows": 0,
            "gradient_accumulation": 1,
            "gradient_clip": 1.0,
            "learning_rate": 0.0002,
            "minimum_learning_rate": 0.0,
            "sample_interval": 50,
            "sample_prompt": "",
            "sample_temperature": 0.8,
            "sample_tokens": 120,
            "schedule": "cosine",
            "steps": 500,
            "warmup_steps": 40,
            "weight_decay": 0.0
          },
          "description": "Settings of the training.\n\nBy default with a learning rate of 2e-4 and without weight decay, as in TRL's examples with LoRA and in QLoRA (Dettmers et al. 2023); for all weights TRL's `SFTConfig` has 2e-5. Small models need larger ones.",
          "title": "Training"
        }
      },
      "type": "object"
    },
    "FineTuningMethod": {
      "description": "The weights that are trained, and the form of the base.",
      "oneOf": [
        {
          "const": "full",
          "title": "All weights"
        },
        {
          "const": "lora",
          "description": "Low-rank adapters on a frozen base (Hu et al. 2021).",
          "title": "LoRA"
        },
        {
          "const": "qlora",
          "description": "The same on a base kept in 4 bits (Dettmers et al. 2023).",
          "title": "QLoRA (4 bits)"
        }
      ]
    },
    "GenerateRequest": {
      "additionalProperties": false,
      "description": "Settings of a text to write.",
      "properties": {
        "max_tokens": {
          "default": 200,
          "description": "Maximum number of tokens to write.\n\nThe limit is higher than any context; a typing error would otherwise be written for hours.",
          "maximum": 1000000,
          "minimum": 0,
          "title": "Max tokens",
          "type": "integer",
          "unit": "tokens"
        },
        "min_p": {
          "default": 0.0,
          "description": "Only tokens with at least this share of the likeliest one's probability may be drawn; 0 is all.",
          "maximum": 1,
          "minimum": 0,
          "title": "Min p",
          "type": "number"
        },
        "prompt": {
          "default": "",
          "description": "Text that is continued.",
          "title": "Prompt",
          "type": "string"
        },
        "repetition_penalty": {
          "default": 1.0,
          "description": "Above 1, tokens that are already in the text become less likely.",
          "exclusiveMinimum": 0,
          "maximum": 100,
          "title": "Repetition penalty",
          "type": "number"
        },
        "seed": {
          "default": 0,
          "description": "Decides the draws.",
          "minimum": 0,
          "title": "Seed",
          "type": "integer"
        },
        "stop": {
          "default": [],
          "description": "The text ends before any of these.",
          "items": {
            "type": "string"
          },
          "title": "Stop",
          "type": "array"
        },
        "temperature": {
          "default": 0.8,
          "description": "0 takes the likeliest token every time; 1 is the model's own distribution.",
          "maximum": 100,
          "minimum": 0,
          "title": "Temperature",
          "type": "number"
        },
        "top_k": {
          "default": 0,
          "description": "Only this many of the likeliest tokens may be drawn; 0 is all.",
          "minimum": 0,
          "title": "Top k",
          "type": "integer"
        },
        "top_p": {
          "default": 1.0,
          "description": "Only the likeliest tokens that together have this probability may be drawn; 1 is all.",
          "exclusiveMinimum": 0,
          "maximum": 1,
          "title": "Top p",
          "type": "number"
        }
      },
      "type": "object"
    },
    "GrpoConfig": {
      "additionalProperties": false,
      "description": "Settings of `GrpoStrategy`: group relative policy optimisation (Shao et al. 2024). Answers to one prompt are compared with each other, so no value has to be learned.",
      "properties": {
        "clip": {
          "default": 0.2,
          "description": "Limit of the change of a token's probability in an update.",
          "maximum": 10,
          "minimum": 1e-6,
          "title": "Clip",
          "type": "number"
        },
        "epochs": {
          "default": 2,
          "description": "Times that each answer is learned from.",
          "maximum": 1000,
          "minimum": 1,
          "title": "Epochs",
          "type": "integer"
        },
        "group": {
          "default": 8,
          "description": "Answers to each prompt, compared with each other.",
          "maximum": 4096,
          "minimum": 2,
          "title": "Group",
          "type": "integer"
        },
        "kl": {
          "$ref": "#/$defs/KlPlacement",
          "default": "loss_k3",
          "description": "The place of the penalty for the divergence from the reference.",
          "title": "KL stands in"
        },
        "kl_coefficient": {
          "default": 0.05,
          "description": "Cost of a nat of divergence from the reference.",
          "maximum": 1000,
          "minimum": 0,
          "title": "KL coefficient",
          "type": "number"
        },
        "lora": {
          "anyOf": [
            {
              "$ref": "#/$defs/LoraConfig"
            },
            {
              "type": "null"
            }
          ],
          "description": "Trains low-rank matrices on the frozen reference instead of all weights.",
          "title": "Adapter only"
        },
        "loss_type": {
          "$ref": "#/$defs/GrpoLossType",
          "default": "dapo",
          "description": "The way from the losses of tokens to the loss of a minibatch.",
          "title": "Loss"
        },
        "maximum_kl": {
          "default": 0.1,
          "description": "The update ends at this divergence from the policy that sampled; 0 is never.\n\nIn nats a token: half the mean squared log ratio.",
          "maximum": 1000,
          "minimum": 0,
          "title": "Largest KL",
          "type": "number",
          "unit": "nats"
        },
        "micro_batch_size": {
          "default": 0,
          "description": "Answers that go through the model at once; 0 is a minibatch. Fewer need less memory and more time.\n\nNo result changes by it beyond rounding.",
          "maximum": 65536,
          "minimum": 0,
          "title": "Micro-batch",
          "type": "integer"
        },
        "minibatches": {
          "default": 4,
          "description": "Parts of the answers that are learned from one after the other; a divisor of prompts · group.",
          "minimum": 1,
          "title": "Minibatches",
          "type": "integer"
        },
        "on_error": {
          "$ref": "#/$defs/OnError",
          "default": "stop",
          "description": "Treatment of a row of the data that cannot be used.",
          "title": "Bad rows"
        },
        "optimizer": {
          "$ref": "#/$defs/OptimizerConfig",
          "default": {
            "beta1": 0.9,
            "beta2": 0.99,
            "epsilon": 1e-8,
            "gradient_clip": 1.0,
            "learning_rate": 1e-6,
            "minimum_learning_rate": 0.0,
            "warmup_steps": 0,
            "weight_decay": 0.0
          },
          "description": "The optimiser of the policy.",
          "title": "Optimizer"
        },
        "preferences": {
          "default": [],
          "description": "Preferences to learn from instead of the data's, such as {\"prompt\": \"…\", \"chosen\": \"…\", \"rejected\": \"…\"}, one a line. Compare answers of a model below to collect some.",
          "items": {
            "$ref": "#/$defs/PreferenceExample"
          },
          "title": "Collected pairs",
          "type": "array"
        },
        "prompts": {
          "default": 8,
          "description": "Prompts of an update.",
          "maximum": 65536,
          "minimum": 1,
          "title": "Prompts",
          "type": "integer"
        },
        "report": {
          "$ref": "#/$defs/ReportConfig",
          "default": {
            "checkpoint_interval": 20,
            "evaluation_interval": 0,
            "evaluation_prompts": 200,
            "sample_interval": 10,
            "samples": 2
          },
          "description": "Evaluations, samples and checkpoints during the training.",
          "title": "Report"
        },
        "reward": {
          "$ref": "#/$defs/RewardConfig",
          "default": {
            "kind": "model"
          },
          "description": "The source of an answer's reward.",
          "title": "Reward"
        },
        "reward_model": {
          "$ref": "#/$defs/RewardModelConfig",
          "default": {
            "batch_size": 16,
            "centre": 0.01,
            "evaluation_interval": 20,
            "micro_batch_size": 0,
            "normalisation_samples": 128,
            "normalise": true,
            "optimizer": {
              "beta1": 0.9,
              "beta2": 0.99,
              "epsilon": 1e-8,
              "gradient_clip": 1.0,
              "learning_rate": 0.0001,
              "minimum_learning_rate": 0.0,
              "warmup_steps": 0,
              "weight_decay": 0.0
            },
            "steps": 120
          },
          "description": "The reward model.",
          "title": "Reward model"
        },
        "rollout": {
          "$ref": "#/$defs/RolloutConfig",
          "default": {
            "missing_eos_penalty": 1.0,
            "response_tokens": 40,
            "stop": "",
            "temperature": 1.0
          },
          "description": "Sampling of the answers.",
          "title": "Rollout"
        },
        "scale_rewards": {
          "$ref": "#/$defs/ScaleRewards",
          "default": "group",
          "description": "The divisor of advantages.",
          "title": "Scale advantages by"
        },
        "steps": {
          "default": 60,
          "description": "Updates, each on answers sampled for it.",
          "maximum": 1000000,
          "minimum": 1,
          "title": "Steps",
          "type": "integer"
        }
      },
      "type": "object"
    },
    "GrpoLossType": {
      "description": "The way from the losses of tokens to the loss of a minibatch; names and definitions as in TRL's `GRPOConfig`.",
      "oneOf": [
        {
          "const": "grpo",
          "description": "Mean over each answer's tokens, then over the answers (Shao et al. 2024, equation 3): a token of a long answer weighs less.",
          "title": "GRPO"
        },
        {
          "const": "bnpo",
          "description": "Mean over the tokens of the minibatch.",
          "title": "BNPO"
        },
        {
          "const": "dr_grpo",
          "description": "Sum over the tokens, divided by the number of answers times the maximum tokens of an answer (Liu et al. 2025).",
          "title": "Dr. GRPO"
        },
        {
          "const": "dapo",
          "description": "Sum over the tokens, divided by the mean number of tokens in the update's minibatches (Yu et al. 2025).",
          "title": "DAPO"
        }
      ]
    },
    "KlPlacement": {
      "description": "The place of the penalty for the divergence from the reference.",
      "oneOf": [
        {
          "const": "loss_k3",
          "description": "In the loss, by the estimator `exp(-l) - 1 + l` (Shao et al. 2024).",
          "title": "The loss (k3)"
        },
        {
          "const": "loss_k2",
          "description": "In the loss, by half the squared log ratio; its gradient is the divergence's own.",
          "title": "The loss (k2)"
        },
        {
          "const": "reward",
          "description": "In the reward of each answer, before answers are compared.",
          "title": "The reward"
        }
      ]
    },
    "LoraConfig": {
      "additionalProperties": false,
      "description": "Low-rank adapters: y = W x + s·B(A·dropout(x)), s = alpha / rank.",
      "properties": {
        "alpha": {
          "default": 16.0,
          "description": "Strength of the adapter; it counts alpha / rank.",
          "maximum": 1000000,
          "minimum": 0,
          "title": "Alpha",
          "type": "number"
        },
        "dora": {
          "default": false,
          "description": "Learns direction and size of the weights apart (Liu et al. 2024).",
          "title": "DoRA",
          "type": "boolean"
        },
        "dropout": {
          "default": 0.0,
          "description": "Share of an adapter's input dropped at random in training.",
          "maximum": 0.95,
          "minimum": 0,
          "title": "Adapter dropout",
          "type": "number"
        },
        "rank": {
          "default": 8,
          "description": "Columns of A and rows of B: how much an adapter can learn.",
          "maximum": 4096,
          "minimum": 1,
          "title": "Rank",
          "type": "integer"
        },
        "rslora": {
          "default": false,
          "description": "Divides by the rank's square root, which suits large ranks (Kalajdzievski 2023).",
          "title": "rsLoRA",
          "type": "boolean"
        },
        "targets": {
          "default": [],
          "description": "Linear layers to adapt, such as q_proj, v_proj; empty is all but the head.\n\nEach is a module's path in the model's file, an end of it, or either with `*` for anything.",
          "items": {
            "type": "string"
          },
          "title": "Layers",
          "type": "array"
        }
      },
      "type": "object"
    },
    "ModelConfig": {
      "additionalProperties": false,
      "description": "Shape of a decoder-only transformer. The vocabulary comes from the tokenizer.",
      "properties": {
        "activation": {
          "$ref": "#/$defs/Activation",
          "default": "gelu",
          "description": "The function between the matrices of the MLP.",
          "title": "Activation"
        },
        "attention_bias": {
          "description": "Biases in the attention's linear layers, if they differ.",
          "title": "Attention biases",
          "type": [
            "boolean",
            "null"
          ]
        },
        "bias": {
          "default": false,
          "description": "A constant added in linear layers and LayerNorm.",
          "title": "Biases",
          "type": "boolean"
        },
        "context": {
          "default": 64,
          "description": "Maximum number of tokens that the model reads at once.",
          "maximum": 32768,
          "minimum": 1,
          "title": "Context",
          "type": "integer",
          "unit": "tokens"
        },
        "dropout": {
          "default": 0.0,
          "description": "Share of activations and of attention probabilities dropped at random in training.",
          "maximum": 0.95,
          "minimum": 0,
          "title": "Dropout",
          "type": "number"
        },
        "head_width": {
          "default": 0,
          "description": "Size of a head; 0 is the width divided by the heads.",
          "maximum": 16384,
          "minimum": 0,
          "title": "Head width",
          "type": "integer"
        },
        "heads": {
          "default": 4,
          "description": "Attention heads in a block; they divide the width if the head width is 0.",
          "maximum": 1024,
          "minimum": 1,
          "title": "Heads",
          "type": "integer"
        },
        "hidden_width": {
          "default": 0,
          "description": "Inner size of the MLP; 0 is four times the width.",
          "maximum": 131072,
          "minimum": 0,
          "title": "Hidden width",
          "type": "integer"
        },
        "key_value_heads": {
          "default": 0,
          "description": "Heads for keys and values, which several query heads share (grouped-query attention); 0 is as many as heads.",
          "maximum": 1024,
          "minimum": 0,
          "title": "Key-value heads",
          "type": "integer"
        },
        "layers": {
          "default": 4,
          "description": "Transformer blocks, one after the other.",
          "maximum": 128,
          "minimum": 1,
          "title": "Layers",
          "type": "integer"
        },
        "mlp_bias": {
          "description": "Biases in the MLP's linear layers, if they differ.",
          "title": "MLP biases",
          "type": [
            "boolean",
            "null"
          ]
        },
        "norm": {
          "$ref": "#/$defs/Norm",
          "default": "layer_norm",
          "description": "Keeps activations at one scale.",
          "title": "Normalisation"
        },
        "norm_epsilon": {
          "default": 0.00001,
          "description": "Keeps the normalisation from dividing by 0.",
          "exclusiveMinimum": 0,
          "maximum": 1,
          "title": "Norm epsilon",
          "type": "number"
        },
        "position": {
          "$ref": "#/$defs/Position",
          "default": "learned",
          "description": "The encoding of the order of tokens.",
          "title": "Positions"
        },
        "rope_theta": {
          "default": 10000.0,
          "description": "Longest wavelength of rotary positions.",
          "maximum": 1000000000000,
          "minimum": 1,
          "title": "Rotary base",
          "type": "number"
        },
        "tied_head": {
          "default": true,
          "description": "The output layer reuses the token embedding, transposed.",
          "title": "Tied head",
          "type": "boolean"
        },
        "width": {
          "default": 64,
          "description": "Numbers that describe one token.",
          "maximum": 16384,
          "minimum": 1,
          "title": "Width",
          "type": "integer"
        }
      },
      "type": "object"
    },
    "Norm": {
      "oneOf": [
        {
          "const": "layer_norm",
          "title": "LayerNorm"
        },
        {
          "const": "rms_norm",
          "title": "RMSNorm"
        }
      ]
    },
    "OnError": {
      "description": "Treatment of a row of the data that cannot be used.",
      "oneOf": [
        {
          "const": "stop",
          "description": "The run is refused and the rows are named, as by `datasets` and TRL: a row that is left out unnoticed changes the result of the training.",
          "title": "Refuse"
        },
        {
          "const": "skip",
          "description": "The row is left out, and counted.",
          "title": "Leave out"
        }
      ]
    },
    "OptimizerConfig": {
      "additionalProperties": false,
      "description": "AdamW and the schedule of the rate: a linear warm-up, then a straight line down to the minimum rate.",
      "properties": {
        "beta1": {
          "default": 0.9,
          "description": "Memory of AdamW's mean.",
          "maximum": 0.999999,
          "minimum": 0,
          "title": "Beta 1",
          "type": "number"
        },
        "beta2": {
          "default": 0.99,
          "description": "Memory of AdamW's variance.",
          "maximum": 0.999999,
          "minimum": 0,
          "title": "Beta 2",
          "type": "number"
        },
        "epsilon": {
          "default": 1e-8,
          "description": "Keeps AdamW from dividing by 0.",
          "exclusiveMinimum": 0,
          "maximum": 1,
          "title": "Epsilon",
          "type": "number"
        },
        "gradient_clip": {
          "default": 1.0,
          "description": "Largest global norm of the gradient; 0 is no limit.",
          "maximum": 1000000,
          "minimum": 0,
          "title": "Gradient clip",
          "type": "number"
        },
        "learning_rate": {
          "default": 1e-6,
          "description": "The maximum learning rate, reached after the warm-up.\n\nThe default is that of TRL's trainers: 3e-6 (`PPOConfig`), 1e-6 (`GRPOConfig`, `DPOConfig`), 1e-4 for a reward model (`RewardConfig`). Adapters and small models need larger ones: TRL's examples with LoRA have ten times as much.",
          "maximum": 10,
          "minimum": 0,
          "title": "Learning rate",
          "type": "number"
        },
        "minimum_learning_rate": {
          "default": 0.0,
          "description": "Learning rate at the end of the schedule.",
          "maximum": 10,
          "minimum": 0,
          "title": "Lowest rate",
          "type": "number"
        },
        "warmup_steps": {
          "default": 0,
          "description": "Steps in which the rate rises from 0.",
          "minimum": 0,
          "title": "Warm-up steps",
          "type": "integer"
        },
        "weight_decay": {
          "default": 0.0,
          "description": "Pull of matrices and embeddings towards 0.",
          "maximum": 10,
          "minimum": 0,
          "title": "Weight decay",
          "type": "number"
        }
      },
      "type": "object"
    },
    "Position": {
      "oneOf": [
        {
          "const": "learned",
          "description": "A trained vector for each position.",
          "title": "Learned (GPT-2)"
        },
        {
          "const": "rope",
          "description": "Rotary embeddings (Su et al. 2021), with the two halves of a head rotated.",
          "title": "Rotary (Llama)"
        }
      ]
    },
    "PpoConfig": {
      "additionalProperties": false,
      "description": "Proximal policy optimisation (Schulman et al. 2017) with a penalty on the divergence from a reference.",
      "properties": {
        "batch_size": {
          "default": 64,
          "description": "Answers of an update.",
          "maximum": 65536,
          "minimum": 2,
          "title": "Batch",
          "type": "integer"
        },
        "clip": {
          "default": 0.2,
          "description": "Limit of the change of a token's probability in an update.",
          "maximum": 10,
          "minimum": 1e-6,
          "title": "Clip",
          "type": "number"
        },
        "entropy_coefficient": {
          "default": 0.0,
          "description": "Reward for staying undecided.",
          "maximum": 1000,
          "minimum": 0,
          "title": "Entropy weight",
          "type": "number"
        },
        "epochs": {
          "default": 4,
          "description": "Times that each answer is learned from.",
          "maximum": 1000,
          "minimum": 1,
          "title": "Epochs",
          "type": "integer"
        },
        "gamma": {
          "default": 1.0,
          "description": "Weight of later rewards.",
          "maximum": 1,
          "minimum": 0,
          "title": "Gamma",
          "type": "number"
        },
        "kl_coefficient": {
          "default": 0.05,
          "description": "Cost of a nat of divergence from the reference.",
          "maximum": 1000,
          "minimum": 0,
          "title": "KL coefficient",
          "type": "number"
        },
        "kl_horizon": {
          "default": 10000.0,
          "description": "Answers over which the coefficient adapts.",
          "maximum": 1000000000000,
          "minimum": 1,
          "title": "KL horizon",
          "type": "number"
        },
        "kl_target": {
          "description": "Nats an answer towards which the coefficient adapts; empty keeps it fixed.",
          "maximum": 1000000,
          "minimum": 1e-6,
          "title": "KL target",
          "type": [
            "number",
            "null"
          ],
          "unit": "nats"
        },
        "lambda": {
          "default": 0.95,
          "description": "Between the value's guess (0) and the rewards themselves (1).",
          "maximum": 1,
          "minimum": 0,
          "title": "Lambda",
          "type": "number"
        },
        "maximum_kl": {
          "default": 0.1,
          "description": "The update ends at this divergence from the policy that sampled; 0 is never.\n\nIn nats a token: half the mean squared log ratio.",
          "maximum": 1000,
          "minimum": 0,
          "title": "Largest KL",
          "type": "number",
          "unit": "nats"
        },
        "micro_batch_size": {
          "default": 0,
          "description": "Answers that go through the model at once; 0 is a minibatch. Fewer need less memory and more time.\n\nNo result changes by it beyond rounding.",
          "maximum": 65536,
          "minimum": 0,
          "title": "Micro-batch",
          "type": "integer"
        },
        "minibatches": {
          "default": 4,
          "description": "Parts of the batch that are learned from one after the other; a divisor of it.",
          "minimum": 1,
          "title": "Minibatches",
          "type": "integer"
        },
        "optimizer": {
          "$ref": "#/$defs/OptimizerConfig",
          "default": {
            "beta1": 0.9,
            "beta2": 0.99,
            "epsilon": 1e-8,
            "gradient_clip": 1.0,
            "learning_rate": 3e-6,
            "minimum_learning_rate": 0.0,
            "warmup_steps": 0,
            "weight_decay": 0.0
          },
          "description": "The optimiser of the policy.",
          "title": "Optimizer"
        },
        "steps": {
          "default": 60,
          "description": "Updates, each on answers sampled for it.",
          "maximum": 1000000,
          "minimum": 1,
          "title": "Steps",
          "type": "integer"
        },
        "value_clip": {
          "default": 0.2,
          "description": "Limit of the change of a value in an update.",
          "maximum": 1000000,
          "minimum": 1e-6,
          "title": "Value clip",
          "type": "number"
        },
        "value_coefficient": {
          "default": 0.1,
          "description": "Weight of the value's loss.",
          "maximum": 1000,
          "minimum": 0,
          "title": "Value weight",
          "type": "number"
        },
        "whiten_rewards": {
          "default": false,
          "description": "Divides rewards by their deviation, keeping their mean.",
          "title": "Whiten rewards",
          "type": "boolean"
        }
      },
      "type": "object"
    },
    "PreferenceExample": {
      "additionalProperties": false,
      "description": "Two responses to a prompt, of which one was preferred.",
      "properties": {
        "chosen": {
          "description": "The better response.",
          "title": "Chosen",
          "type": "string"
        },
        "margin": {
          "description": "How much better the chosen one is.",
          "title": "Margin",
          "type": [
            "number",
            "null"
          ]
        },
        "prompt": {
          "description": "The text that both answer.",
          "title": "Prompt",
          "type": "string"
        },
        "rejected": {
          "description": "The other response.",
          "title": "Rejected",
          "type": "string"
        }
      },
      "required": [
        "prompt",
        "chosen",
        "rejected"
      ],
      "type": "object"
    },
    "Preset": {
      "description": "A village of a given size.",
      "oneOf": [
        {
          "const": "hamlet",
          "description": "Small enough that a laptop's CPU learns its language in about a minute.",
          "title": "Hamlet"
        },
        {
          "const": "village",
          "title": "Village"
        },
        {
          "const": "town",
          "description": "Some people share a first name or a surname with many others.",
          "title": "Town"
        }
      ]
    },
    "PretrainingConfig": {
      "additionalProperties": false,
      "description": "Settings of `PretrainingStrategy`.",
      "properties": {
        "model": {
          "$ref": "#/$defs/ModelConfig",
          "default": {
            "activation": "gelu",
            "bias": false,
            "context": 64,
            "dropout": 0.0,
            "head_width": 0,
            "heads": 4,
            "hidden_width": 0,
            "key_value_heads": 0,
            "layers": 4,
            "norm": "layer_norm",
            "norm_epsilon": 0.00001,
            "position": "learned",
            "rope_theta": 10000.0,
            "tied_head": true,
            "width": 64
          },
          "description": "Shape of the model.",
          "title": "Model"
        },
        "tokenizer": {
          "$ref": "#/$defs/TokenizerKind",
          "default": "character",
          "description": "Pieces that the text is cut into.",
          "title": "Tokens"
        },
        "training": {
          "$ref": "#/$defs/TrainingConfig",
          "default": {
            "batch_size": 8,
            "beta1": 0.9,
            "beta2": 0.99,
            "checkpoint_interval": 100,
            "decay_steps": 0,
            "early_stopping_patience": 0,
            "epsilon": 1e-8,
            "evaluation_interval": 50,
            "evaluation_windows": 32,
            "final_evaluation_stride": 0,
            "final_evaluation_windows": 0,
            "gradient_accumulation": 1,
            "gradient_clip": 1.0,
            "learning_rate": 0.002,
            "minimum_learning_rate": 0.0002,
            "sample_interval": 50,
            "sample_prompt": "",
            "sample_temperature": 0.8,
            "sample_tokens": 120,
            "schedule": "cosine",
            "steps": 500,
            "warmup_steps": 40,
            "weight_decay": 0.1
          },
          "description": "Settings of the training.",
          "title": "Training"
        },
        "vocabulary": {
          "default": 1024,
          "description": "Pieces that are learned from the text, at most.",
          "maximum": 262144,
          "minimum": 257,
          "title": "Vocabulary",
          "type": "integer"
        }
      },
      "type": "object"
    },
    "RagConfig": {
      "additionalProperties": false,
      "description": "Settings of `RagStrategy`: the index of the documents, and the answers from them.",
      "properties": {
        "answer_tokens": {
          "default": 40,
          "description": "Maximum number of tokens of an answer; passages are left out until question and answer fit the context.",
          "maximum": 10000,
          "minimum": 1,
          "title": "Answer",
          "type": "integer",
          "unit": "tokens"
        },
        "chunking": {
          "$ref": "#/$defs/ChunkConfig",
          "default": {
            "method": "structure",
            "overlap": 20,
            "size": 200
          },
          "description": "The cutting of documents into chunks.",
          "title": "Chunking"
        },
        "diversity_balance": {
          "default": 1.0,
          "description": "Weight of relevance against variety of the passages: 1 is relevance alone, 0 is variety alone.\n\nMaximal marginal relevance (Carbonell and Goldstein 1998).",
          "maximum": 1,
          "minimum": 0,
          "title": "Relevance or variety",
          "type": "number"
        },
        "embedder": {
          "$ref": "#/$defs/EmbedderKind",
          "default": "hashed",
          "description": "The embedder, which turns passages and questions into vectors.",
          "title": "Embedder"
        },
        "encoder": {
          "default": "",
          "description": "Folder of the sentence encoder; in the page, its address.\n\nA Hugging Face folder of the BERT family. Files in the folder `encoder/` of the run that the strategy starts from are used first.",
          "title": "Encoder",
          "type": "string"
        },
        "endpoint": {
          "anyOf": [
            {
              "$ref": "#/$defs/EndpointConfig"
            },
            {
              "type": "null"
            }
          ],
          "description": "An OpenAI-compatible endpoint answers instead of a model of the lab: questions and passages are sent to it.",
          "title": "Answers from an endpoint"
        },
        "evaluation_depth": {
          "default": 10,
          "description": "Number of passages by which retrieval is measured, e.g. in `ndcg@10`.",
          "maximum": 1000,
          "minimum": 1,
          "title": "Depth",
          "type": "integer"
        },
        "exact_below": {
          "default": 4096,
          "description": "With fewer chunks than this, the search compares every vector; with more, it uses a graph.",
          "maximum": 1000000,
          "minimum": 2,
          "title": "Exact below",
          "type": "integer"
        },
        "filter": {
          "default": "",
          "description": "Condition on the metadata of the documents that are searched, as JSON; empty is no condition.\n\nE.g. `{\"equals\": {\"key\": \"year\", \"value\": 1958}}`; the others are `one_of`, `range`, `exists`, `all`, `any` and `not`.",
          "title": "Filter",
          "type": "string"
        },
        "method": {
          "$ref": "#/$defs/RetrievalMethod",
          "default": "hybrid",
          "description": "The ranking of passages.",
          "title": "Method"
        },
        "passage_prefix": {
          "default": "",
          "description": "Text before each passage, e.g. \"passage: \" for E5; empty is the one that the encoder's files name.",
          "title": "Passage prefix",
          "type": "string"
        },
        "passages": {
          "default": 3,
          "description": "Passages that an answer is written from.",
          "maximum": 100,
          "minimum": 1,
          "title": "Passages",
          "type": "integer"
        },
        "prompt_template": {
          "default": "",
          "description": "Text of the request, with {passages} and {question} in it; empty is a line for each of them.",
          "title": "Prompt",
          "type": "string"
        },
        "query_prefix": {
          "default": "",
          "description": "Text before each question, e.g. \"query: \" for E5; empty is the one that the encoder's files name.",
          "title": "Question prefix",
          "type": "string"
        },
        "questions": {
          "default": [],
          "description": "Questions that are answered when the index is there, one a line.",
          "items": {
            "type": "string"
          },
          "title": "Questions",
          "type": "array"
        },
        "threshold": {
          "default": 0.0,
          "description": "Minimum score of a passage; without any passage there is no answer. 0 is no limit.\n\nBy the scale of the method.",
          "maximum": 1000000,
          "minimum": 0,
          "title": "Threshold",
          "type": "number"
        }
      },
      "type": "object"
    },
    "ReportConfig": {
      "additionalProperties": false,
      "description": "Evaluations, samples and checkpoints during the training of the policy.",
      "properties": {
        "checkpoint_interval": {
          "default": 20,
          "description": "Steps between states from which a run can be continued; 0 is none.",
          "minimum": 0,
          "title": "Checkpoint every",
          "type": "integer",
          "unit": "steps"
        },
        "evaluation_interval": {
          "default": 0,
          "description": "Steps between evaluations on held-out prompts; 0 is before the first and after the last.",
          "minimum": 0,
          "title": "Evaluate every",
          "type": "integer",
          "unit": "steps"
        },
        "evaluation_prompts": {
          "default": 200,
          "description": "Held-out prompts that are answered in an evaluation; 0 is all.",
          "minimum": 0,
          "title": "Prompts",
          "type": "integer"
        },
        "sample_interval": {
          "default": 10,
          "description": "Steps between samples; 0 is none.",
          "minimum": 0,
          "title": "Sample every",
          "type": "integer",
          "unit": "steps"
        },
        "samples": {
          "default": 2,
          "description": "Answers shown each time.",
          "minimum": 0,
          "title": "Samples",
          "type": "integer"
        }
      },
      "type": "object"
    },
    "RetrievalMethod": {
      "description": "The ranking of passages.",
      "oneOf": [
        {
          "const": "dense",
          "description": "Nearness of vectors.",
          "title": "Vectors"
        },
        {
          "const": "bm25",
          "description": "Words in common (BM25).",
          "title": "Words (BM25)"
        },
        {
          "const": "hybrid",
          "description": "The two rankings fused by reciprocal ranks.",
          "title": "Vectors and words"
        }
      ]
    },
    "RewardConfig": {
      "description": "The source of an answer's reward.",
      "oneOf": [
        {
          "additionalProperties": false,
          "description": "A model trained on preferences.",
          "properties": {
            "kind": {
              "const": "model"
            }
          },
          "required": [
            "kind"
          ],
          "title": "A model of preferences",
          "type": "object"
        },
        {
          "additionalProperties": false,
          "description": "`weight` for each match of the regular expression in the answer.",
          "properties": {
            "kind": {
              "const": "pattern"
            },
            "pattern": {
              "description": "A regular expression, such as please|thank you.",
              "title": "Pattern",
              "type": "string"
            },
            "weight": {
              "default": 1.0,
              "description": "Reward for each match of the pattern.",
              "maximum": 1000000,
              "minimum": -1000000,
              "title": "Weight",
              "type": "number"
            }
          },
          "required": [
            "kind",
            "pattern"
          ],
          "title": "A pattern",
          "type": "object"
        },
        {
          "additionalProperties": false,
          "description": "0 for an answer of this many tokens, and down to -1 the further its length differs.",
          "properties": {
            "kind": {
              "const": "length"
            },
            "tokens": {
              "description": "The length that is rewarded most.",
              "maximum": 100000,
              "minimum": 1,
              "title": "Tokens",
              "type": "integer",
              "unit": "tokens"
            }
          },
          "required": [
            "kind",
            "tokens"
          ],
          "title": "The length",
          "type": "object"
        },
        {
          "additionalProperties": false,
          "description": "A function that the program around the lab supplies.",
          "properties": {
            "kind": {
              "const": "function"
            }
          },
          "required": [
            "kind"
          ],
          "title": "A function",
          "type": "object"
        }
      ]
    },
    "RewardModelConfig": {
      "additionalProperties": false,
      "description": "Settings of the reward model, which learns from preferences before the policy does (Stiennon et al. 2020).",
      "properties": {
        "batch_size": {
          "default": 16,
          "description": "Preferences in a step of the reward model.",
          "maximum": 4096,
          "minimum": 1,
          "title": "Pairs",
          "type": "integer"
        },
        "centre": {
          "default": 0.01,
          "description": "Weight of the squared sum of both rewards, which keeps them around 0.",
          "maximum": 1000,
          "minimum": 0,
          "title": "Centre",
          "type": "number"
        },
        "evaluation_interval": {
          "default": 20,
          "description": "Steps between evaluations on held-out preferences; 0 is at the end only.",
          "minimum": 0,
          "title": "Evaluate reward every",
          "type": "integer",
          "unit": "steps"
        },
        "lora": {
          "anyOf": [
            {
              "$ref": "#/$defs/LoraConfig"
            },
            {
              "type": "null"
            }
          ],
          "description": "Adapts the reward model by low-rank matrices instead of training all of it.",
          "title": "Low-rank reward"
        },
        "micro_batch_size": {
          "default": 0,
          "description": "Sequences that go through the model at once, two a preference; 0 is all of a step. Fewer need less memory and more time.\n\nNo result changes by it beyond rounding, unless an adapter drops out: what it drops is drawn for each pass.",
          "maximum": 8192,
          "minimum": 0,
          "title": "Micro-batch",
          "type": "integer"
        },
        "normalisation_samples": {
          "default": 128,
          "description": "Number of the reference policy's answers by which mean and deviation are measured.",
          "maximum": 100000,
          "minimum": 2,
          "title": "Answers to normalise by",
          "type": "integer"
        },
        "normalise": {
          "default": true,
          "description": "Brings rewards to mean 0 and deviation 1 over answers of the reference policy.",
          "title": "Normalise",
          "type": "boolean"
        },
        "optimizer": {
          "$ref": "#/$defs/OptimizerConfig",
          "default": {
            "beta1": 0.9,
            "beta2": 0.99,
            "epsilon": 1e-8,
            "gradient_clip": 1.0,
            "learning_rate": 0.0001,
            "minimum_learning_rate": 0.0,
            "warmup_steps": 0,
            "weight_decay": 0.0
          },
          "description": "The optimiser of the reward model.",
          "title": "Optimizer"
        },
        "steps": {
          "default": 120,
          "description": "Updates of the reward model, before the policy learns.",
          "maximum": 1000000,
          "minimum": 1,
          "title": "Reward steps",
          "type": "integer"
        }
      },
      "type": "object"
    },
    "RlhfConfig": {
      "additionalProperties": false,
      "description": "Settings of `RlhfStrategy`. Model and tokenizer come from the run that it starts from, which is also the reference.",
      "properties": {
        "lora": {
          "anyOf": [
            {
              "$ref": "#/$defs/LoraConfig"
            },
            {
              "type": "null"
            }
          ],
          "description": "Trains low-rank matrices on the frozen reference instead of all weights.",
          "title": "Adapter only"
        },
        "on_error": {
          "$ref": "#/$defs/OnError",
          "default": "stop",
          "description": "Treatment of a row of the data that cannot be used.",
          "title": "Bad rows"
        },
        "ppo": {
          "$ref": "#/$defs/PpoConfig",
          "default": {
            "batch_size": 64,
            "clip": 0.2,
            "entropy_coefficient": 0.0,
            "epochs": 4,
            "gamma": 1.0,
            "kl_coefficient": 0.05,
            "kl_horizon": 10000.0,
            "lambda": 0.95,
            "maximum_kl": 0.1,
            "micro_batch_size": 0,
            "minibatches": 4,
            "optimizer": {
              "beta1": 0.9,
              "beta2": 0.99,
              "epsilon": 1e-8,
              "gradient_clip": 1.0,
              "learning_rate": 3e-6,
              "minimum_learning_rate": 0.0,
              "warmup_steps": 0,
              "weight_decay": 0.0
            },
            "steps": 60,
            "value_clip": 0.2,
            "value_coefficient": 0.1,
            "whiten_rewards": false
          },
          "description": "The improvement of the policy.",
          "title": "PPO"
        },
        "preferences": {
          "default": [],
          "description": "Preferences to learn from instead of the data's, such as {\"prompt\": \"…\", \"chosen\": \"…\", \"rejected\": \"…\"}, one a line. Compare answers of a model below to collect some.",
          "items": {
            "$ref": "#/$defs/PreferenceExample"
          },
          "title": "Collected pairs",
          "type": "array"
        },
        "report": {
          "$ref": "#/$defs/ReportConfig",
          "default": {
            "checkpoint_interval": 20,
            "evaluation_interval": 0,
            "evaluation_prompts": 200,
            "sample_interval": 10,
            "samples": 2
          },
          "description": "Evaluations, samples and checkpoints during the training.",
          "title": "Report"
        },
        "reward": {
          "$ref": "#/$defs/RewardConfig",
          "default": {
            "kind": "model"
          },
          "description": "The source of an answer's reward.",
          "title": "Reward"
        },
        "reward_model": {
          "$ref": "#/$defs/RewardModelConfig",
          "default": {
            "batch_size": 16,
            "centre": 0.01,
            "evaluation_interval": 20,
            "micro_batch_size": 0,
            "normalisation_samples": 128,
            "normalise": true,
            "optimizer": {
              "beta1": 0.9,
              "beta2": 0.99,
              "epsilon": 1e-8,
              "gradient_clip": 1.0,
              "learning_rate": 0.0001,
              "minimum_learning_rate": 0.0,
              "warmup_steps": 0,
              "weight_decay": 0.0
            },
            "steps": 120
          },
          "description": "The reward model.",
          "title": "Reward model"
        },
        "rollout": {
          "$ref": "#/$defs/RolloutConfig",
          "default": {
            "missing_eos_penalty": 1.0,
            "response_tokens": 40,
            "stop": "",
            "temperature": 1.0
          },
          "description": "Sampling of the answers.",
          "title": "Rollout"
        }
      },
      "type": "object"
    },
    "RolloutConfig": {
      "additionalProperties": false,
      "description": "Settings of sampling. There are no filters: the policy that is improved is the one that samples.",
      "properties": {
        "missing_eos_penalty": {
          "default": 1.0,
          "description": "Taken off the score of an answer that does not end.",
          "maximum": 1000000,
          "minimum": 0,
          "title": "Unfinished",
          "type": "number"
        },
        "response_tokens": {
          "default": 40,
          "description": "Tokens of an answer, at most.",
          "maximum": 32768,
          "minimum": 1,
          "title": "Longest answer",
          "type": "integer",
          "unit": "tokens"
        },
        "stop": {
          "default": "",
          "description": "A text of one token that ends an answer; empty is the tokenizer's own, if it has one.",
          "title": "Ends with",
          "type": "string"
        },
        "temperature": {
          "default": 1.0,
          "description": "Divides the logits of policy and reference alike; a higher temperature samples more freely.\n\nA temperature of 0 has no log-probabilities.",
          "maximum": 100,
          "minimum": 0.001,
          "title": "Temperature",
          "type": "number"
        }
      },
      "type": "object"
    },
    "ScaleRewards": {
      "description": "The divisor of advantages; names and definitions as in TRL's `GRPOConfig`.",
      "oneOf": [
        {
          "const": "group",
          "description": "The deviation of the rewards in their group (Shao et al. 2024).",
          "title": "The group's deviation"
        },
        {
          "const": "batch",
          "description": "The deviation of all rewards of the update.",
          "title": "The update's deviation"
        },
        {
          "const": "none",
          "description": "Nothing (Liu et al. 2025).",
          "title": "Nothing"
        }
      ]
    },
    "Schedule": {
      "oneOf": [
        {
          "const": "cosine",
          "description": "Half a cosine from the highest to the lowest rate.",
          "title": "Cosine"
        },
        {
          "const": "linear",
          "title": "Linear"
        },
        {
          "const": "constant",
          "title": "Constant"
        }
      ]
    },
    "StrategyConfig": {
      "additionalProperties": false,
      "allOf": [
        {
          "if": {
            "properties": {
              "strategy": {
                "const": "pretraining"
              }
            },
            "required": [
              "strategy"
            ]
          },
          "then": {
            "properties": {
              "config": {
                "anyOf": [
                  {
                    "$ref": "#/$defs/PretrainingConfig"
                  },
                  {
                    "type": "null"
                  }
                ]
              }
            }
          }
        },
        {
          "if": {
            "properties": {
              "strategy": {
                "const": "fine_tuning"
              }
            },
            "required": [
              "strategy"
            ]
          },
          "then": {
            "properties": {
              "config": {
                "anyOf": [
                  {
                    "$ref": "#/$defs/FineTuningConfig"
                  },
                  {
                    "type": "null"
                  }
                ]
              }
            }
          }
        },
        {
          "if": {
            "properties": {
              "strategy": {
                "const": "rlhf"
              }
            },
            "required": [
              "strategy"
            ]
          },
          "then": {
            "properties": {
              "config": {
                "anyOf": [
                  {
                    "$ref": "#/$defs/RlhfConfig"
                  },
                  {
                    "type": "null"
                  }
                ]
              }
            }
          }
        },
        {
          "if": {
            "properties": {
              "strategy": {
                "const": "dpo"
              }
            },
            "required": [
              "strategy"
            ]
          },
          "then": {
            "properties": {
              "config": {
                "anyOf": [
                  {
                    "$ref": "#/$defs/DpoConfig"
                  },
                  {
                    "type": "null"
                  }
                ]
              }
            }
          }
        },
        {
          "if": {
            "properties": {
              "strategy": {
                "const": "grpo"
              }
            },
            "required": [
              "strategy"
            ]
          },
          "then": {
            "properties": {
              "config": {
                "anyOf": [
                  {
                    "$ref": "#/$defs/GrpoConfig"
                  },
                  {
                    "type": "null"
                  }
                ]
              }
            }
          }
        },
        {
          "if": {
            "properties": {
              "strategy": {
                "const": "rag"
              }
            },
            "required": [
              "strategy"
            ]
          },
          "then": {
            "properties": {
              "config": {
                "anyOf": [
                  {
                    "$ref": "#/$defs/RagConfig"
                  },
                  {
                    "type": "null"
                  }
                ]
              }
            }
          }
        }
      ],
      "description": "One strategy of an experiment.\n\nThe strategy itself reads `config`, so a new strategy changes nothing here.",
      "properties": {
        "config": {
          "description": "Settings of the strategy.",
          "title": "Config"
        },
        "from": {
          "description": "Name of the strategy of this experiment whose model this one starts from.",
          "title": "From",
          "type": [
            "string",
            "null"
          ]
        },
        "name": {
          "description": "Unique within the experiment; metrics carry it.",
          "title": "Name",
          "type": "string"
        },
        "strategy": {
          "description": "A registered kind of strategy, e.g. `pretraining`.",
          "title": "Strategy",
          "type": "string"
        }
      },
      "required": [
        "name",
        "strategy"
      ],
      "type": "object"
    },
    "TokenizerKind": {
      "oneOf": [
        {
          "const": "character",
          "description": "One token for each character that occurs in the text.",
          "title": "Characters"
        },
        {
          "const": "byte",
          "description": "One token for each byte of UTF-8, 256 in all.",
          "title": "Bytes"
        },
        {
          "const": "bpe",
          "description": "Pieces of words: bytes, merged by how often they occur together (byte-pair encoding, as GPT-2).",
          "title": "Pieces of words"
        }
      ]
    },
    "TooLong": {
      "description": "Treatment of an example that does not fit the model's context.",
      "oneOf": [
        {
          "const": "drop",
          "description": "The example is left out, and counted.",
          "title": "Leave out"
        },
        {
          "const": "truncate",
          "description": "The prompt loses its beginning, and the response its end if that is not enough.",
          "title": "Cut"
        },
        {
          "const": "error",
          "description": "The run is refused.",
          "title": "Refuse"
        }
      ]
    },
    "TrainingConfig": {
      "additionalProperties": false,
      "description": "Settings of the training of a model. The defaults are the ones of the quick start.",
      "properties": {
        "batch_size": {
          "default": 8,
          "description": "Sequences in a micro-batch.",
          "maximum": 4096,
          "minimum": 1,
          "title": "Batch",
          "type": "integer"
        },
        "beta1": {
          "default": 0.9,
          "description": "Memory of AdamW's mean.",
          "maximum": 0.999999,
          "minimum": 0,
          "title": "Beta 1",
          "type": "number"
        },
        "beta2": {
          "default": 0.99,
          "description": "Memory of AdamW's variance.",
          "maximum": 0.999999,
          "minimum": 0,
          "title": "Beta 2",
          "type": "number"
        },
        "checkpoint_interval": {
          "default": 100,
          "description": "Steps between states from which a run can be continued; 0 is none.",
          "minimum": 0,
          "title": "Checkpoint every",
          "type": "integer",
          "unit": "steps"
        },
        "decay_steps": {
          "default": 0,
          "description": "Step at which the schedule ends; 0 is the last.",
          "minimum": 0,
          "title": "Decay steps",
          "type": "integer"
        },
        "early_stopping_patience": {
          "default": 0,
          "description": "Evaluations without a better loss before training stops; 0 is never.",
          "minimum": 0,
          "title": "Patience",
          "type": "integer"
        },
        "epsilon": {
          "default": 1e-8,
          "description": "Keeps AdamW from dividing by 0.",
          "exclusiveMinimum": 0,
          "maximum": 1,
          "title": "Epsilon",
          "type": "number"
        },
        "evaluation_interval": {
          "default": 50,
          "description": "Steps between evaluations on held-out data; 0 is at the end only.",
          "minimum": 0,
          "title": "Evaluate every",
          "type": "integer",
          "unit": "steps"
        },
        "evaluation_windows": {
          "default": 32,
          "description": "Pieces of held-out text in an evaluation while training, the same ones every time; 0 is all.",
          "minimum": 0,
          "title": "Windows",
          "type": "integer"
        },
        "final_evaluation_stride": {
          "default": 0,
          "description": "Tokens from one of those windows to the next, at most the context; 0 is the context: no windows overlap.\n\nWith a smaller stride, each token is predicted from more text before it.",
          "minimum": 0,
          "title": "Stride at the end",
          "type": "integer",
          "unit": "tokens"
        },
        "final_evaluation_windows": {
          "default": 0,
          "description": "Windows of the evaluation at the end, whose loss is the result; 0 is all.",
          "minimum": 0,
          "title": "Windows at the end",
          "type": "integer"
        },
        "gradient_accumulation": {
          "default": 1,
          "description": "Micro-batches whose gradients are summed before an update.",
          "maximum": 4096,
          "minimum": 1,
          "title": "Micro-batches",
          "type": "integer"
        },
        "gradient_clip": {
          "default": 1.0,
          "description": "Largest global norm of the gradient; 0 is no limit.",
          "maximum": 1000000,
          "minimum": 0,
          "title": "Gradient clip",
          "type": "number"
        },
        "learning_rate": {
          "default": 0.002,
          "description": "The maximum learning rate, reached after the warm-up.",
          "maximum": 10,
          "minimum": 0,
          "title": "Learning rate",
          "type": "number"
        },
        "minimum_learning_rate": {
          "default": 0.0002,
          "description": "Learning rate at the end of the schedule.",
          "maximum": 10,
          "minimum": 0,
          "title": "Lowest rate",
          "type": "number"
        },
        "sample_interval": {
          "default": 50,
          "description": "Steps between samples; 0 is at the end only.",
          "minimum": 0,
          "title": "Sample every",
          "type": "integer",
          "unit": "steps"
        },
        "sample_prompt": {
          "default": "",
          "description": "Text at the beginning of samples; \\n is a new line. Empty is a new line too.\n\nIf the text has no new line, empty is the text's first character.",
          "title": "Prompt",
          "type": "string"
        },
        "sample_temperature": {
          "default": 0.8,
          "description": "A higher temperature draws samples more freely; 0 takes the likeliest token every time.",
          "maximum": 100,
          "minimum": 0,
          "title": "Temperature",
          "type": "number"
        },
        "sample_tokens": {
          "default": 120,
          "description": "Tokens in a sample.",
          "maximum": 100000,
          "minimum": 0,
          "title": "Length",
          "type": "integer",
          "unit": "tokens"
        },
        "schedule": {
          "$ref": "#/$defs/Schedule",
          "default": "cosine",
          "description": "The decrease of the learning rate after the warm-up.",
          "title": "Schedule"
        },
        "steps": {
          "default": 500,
          "description": "Updates of the weights.",
          "maximum": 10000000,
          "minimum": 1,
          "title": "Steps",
          "type": "integer"
        },
        "warmup_steps": {
          "default": 40,
          "description": "Steps in which the rate rises from 0.",
          "minimum": 0,
          "title": "Warm-up steps",
          "type": "integer"
        },
        "weight_decay": {
          "default": 0.1,
          "description": "Pull of matrices and embeddings towards 0.\n\nDecoupled (Loshchilov and Hutter 2019).",
          "maximum": 10,
          "minimum": 0,
          "title": "Weight decay",
          "type": "number"
        }
      },
      "type": "object"
    },
    "VillageSettings": {
      "additionalProperties": false,
      "description": "The settings that define a village. The same settings give the same bytes everywhere.",
      "properties": {
        "answers_per_question": {
          "default": 4,
          "description": "Number of answers to each trained question, each in another manner.",
          "maximum": 100,
          "minimum": 1,
          "title": "Answers per question",
          "type": "integer"
        },
        "confusable": {
          "default": 0.25,
          "description": "Share of the passages beside the right one that are about a person of the same first name or surname: the higher, the harder.",
          "maximum": 1,
          "minimum": 0,
          "title": "Confusable",
          "type": "number"
        },
        "documents": {
          "default": 16000,
          "description": "Texts to pretrain on.",
          "maximum": 500000,
          "minimum": 100,
          "title": "Documents",
          "type": "integer"
        },
        "first_names": {
          "default": 24,
          "description": "Different first names. With fewer than people, some share one.",
          "maximum": 120,
          "minimum": 8,
          "title": "First names",
          "type": "integer"
        },
        "held_out_documents": {
          "default": 300,
          "description": "Texts of the same language that are held out.",
          "maximum": 50000,
          "minimum": 10,
          "title": "Held out documents",
          "type": "integer"
        },
        "held_out_people": {
          "default": 0.25,
          "description": "Share of the people about whom no question is ever trained.",
          "maximum": 0.6,
          "minimum": 0.05,
          "title": "Held out people",
          "type": "number"
        },
        "held_out_questions": {
          "default": 0.15,
          "description": "Share of the facts about the others that are never asked in training.",
          "maximum": 0.6,
          "minimum": 0,
          "title": "Held out questions",
          "type": "number"
        },
        "judged_preferences": {
          "default": 150,
          "description": "Pairs of answers to held-out questions.",
          "maximum": 20000,
          "minimum": 0,
          "title": "Judged preferences",
          "type": "integer"
        },
        "judged_reading": {
          "default": 150,
          "description": "Held-out questions of the same kind.",
          "maximum": 20000,
          "minimum": 0,
          "title": "Judged reading",
          "type": "integer"
        },
        "new_people": {
          "default": 40,
          "description": "People whom no model is trained on and whom only the documents describe.",
          "maximum": 2000,
          "minimum": 4,
          "title": "New people",
          "type": "integer"
        },
        "passages": {
          "default": 3,
          "description": "The maximum number of passages before a question.",
          "maximum": 8,
          "minimum": 1,
          "title": "Passages",
          "type": "integer"
        },
        "people": {
          "default": 24,
          "description": "People who live there and are written about.",
          "maximum": 2000,
          "minimum": 8,
          "title": "People",
          "type": "integer"
        },
        "preference_noise": {
          "default": 0.0,
          "description": "Share of the preference pairs whose order is wrong, as human judgement often is.",
          "maximum": 0.5,
          "minimum": 0,
          "title": "Preference noise",
          "type": "number"
        },
        "preference_pairs": {
          "default": 600,
          "description": "Pairs of answers, one better than the other.",
          "maximum": 200000,
          "minimum": 0,
          "title": "Preference pairs",
          "type": "integer"
        },
        "preset": {
          "$ref": "#/$defs/Preset",
          "default": "hamlet",
          "description": "The preset of the settings that are left out.",
          "title": "Preset"
        },
        "questions_per_new_person": {
          "default": 5,
          "description": "Questions about each of them, one for each fact at most.",
          "maximum": 7,
          "minimum": 1,
          "title": "Questions per new person",
          "type": "integer"
        },
        "reading_pairs": {
          "default": 6000,
          "description": "Training examples whose answer stands in passages that come with the question.",
          "maximum": 200000,
          "minimum": 0,
          "title": "Reading pairs",
          "type": "integer"
        },
        "seed": {
          "default": 0,
          "description": "Decides every choice.",
          "maximum": 9007199254740991,
          "minimum": 0,
          "title": "Seed",
          "type": "integer"
        },
        "shops": {
          "default": 6,
          "description": "Shops, each in a street and each selling one thing.",
          "maximum": 32,
          "minimum": 2,
          "title": "Shops",
          "type": "integer"
        },
        "surnames": {
          "default": 24,
          "description": "Different surnames.",
          "maximum": 120,
          "minimum": 8,
          "title": "Surnames",
          "type": "integer"
        },
        "travellers": {
          "default": 0.1,
          "description": "Share of these texts about travellers, whom the model must not remember: they teach it to read.\n\nMore of them are harder to learn.",
          "maximum": 1,
          "minimum": 0,
          "title": "Travellers",
          "type": "number"
        },
        "unknown_share": {
          "default": 0.2,
          "description": "Share of the reading examples whose passages do not hold the answer.",
          "maximum": 0.9,
          "minimum": 0,
          "title": "Unknown share",
          "type": "number"
        },
        "values": {
          "default": 16,
          "description": "Different streets, pets, trades, foods, colours and goods, of each kind so many.",
          "maximum": 32,
          "minimum": 12,
          "title": "Values",
          "type": "integer"
        }
      },
      "required": [],
      "type": "object"
    }
  },
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "additionalProperties": false,
  "description": "A named set of strategies that share data, seed and evaluation.",
  "properties": {
    "backend": {
      "$ref": "#/$defs/BackendChoice",
      "default": "auto",
      "description": "The device of the computation.",
      "title": "Backend"
    },
    "data": {
      "$ref": "#/$defs/DataConfig",
      "description": "The data it trains on.",
      "title": "Data"
    },
    "description": {
      "default": "",
      "description": "Its purpose.",
      "title": "Description",
      "type": "string"
    },
    "name": {
      "description": "The name of the experiment.",
      "title": "Name",
      "type": "string"
    },
    "schema": {
      "default": 1,
      "description": "Version of the layout of experiments.",
      "minimum": 0,
      "title": "Schema",
      "type": "integer"
    },
    "seed": {
      "default": 1337,
      "description": "The same seed gives the same run.\n\nIt decides initial weights, batches, dropout and samples.",
      "maximum": 9007199254740991,
      "minimum": 0,
      "title": "Seed",
      "type": "integer"
    },
    "strategies": {
      "description": "Its strategies.",
      "items": {
        "$ref": "#/$defs/StrategyConfig"
      },
      "title": "Strategies",
      "type": "array"
    }
  },
  "required": [
    "name",
    "data",
    "strategies"
  ],
  "title": "ExperimentConfig",
  "type": "object"
};
