"""The graph on which commands are damaged and killed: small, so that there can be many of them."""

DATA = [
    "--data.source=block_model", "--data.split=random", "--data.num_nodes=60",
    "--data.num_edges=150", "--data.num_classes=3", "--data.num_features=8",
    "--data.num_train_per_class=4", "--data.num_val=10", "--data.num_test=10",
]  # fmt: skip
